"""Pictures, metadata and colour profiles that the tests of `dreamer.image` make for themselves."""

import io
import struct

import numpy as np
from PIL import Image

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)

RECIPE = '{"schema": 1, "title": "Käfer & <shells> \\"so\\"", "seed": 7}'
PLACES = (b"GPS", b"Latitude", b"Longitude")
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"'
    ' exif:GPSLatitude="52,31.2N" drone-dji:Longitude="13.4" tiff:Orientation="6" tiff:Make="Kodak">'
    "<dc:creator><rdf:Seq><rdf:li>Käthe</rdf:li></rdf:Seq></dc:creator>"
    "<exif:GPSLongitude>13,24.5E</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
).encode()


def written(write, *arguments, **settings):
    """The bytes that a function writes into the file that it is given first."""
    file = io.BytesIO()
    write(file, *arguments, **settings)
    return file.getvalue()


def noise(shape, dtype=np.uint8, seed=0):
    """Every value of the type, so that a lost low byte shows."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def smooth(height=24, width=36):
    """(H, W, 3), unlike each of its mirror images, and gentle enough for lossy formats."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = [200 * x / width + 20, 180 * y / height + 30, 100 + 60 * x / width - 80 * y / height]
    return np.rint(np.stack(planes, axis=-1)).astype(np.uint8)


def turned(values, orientation):
    """The values as a camera stores them that notes this EXIF orientation."""
    height, width = values.shape[:2]
    index = Image.fromarray(np.arange(height * width, dtype=np.int32).reshape(height, width))
    index = np.asarray(turned_picture(index, orientation))
    return np.ascontiguousarray(values.reshape(height * width, -1)[index].reshape(*index.shape, -1))


def turned_picture(picture, orientation):
    """A picture as a camera stores it that notes this EXIF orientation."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    return picture.transpose(Image.Transpose(undo[orientation])) if orientation in undo else picture


def exif(orientation=1, **extra):
    """What a camera writes, a place included."""
    tags = Image.Exif()
    tags.update({271: "Kodak", 272: "Brownie", 274: orientation, 306: "2026:11:22 10:00:00"})
    tags.get_ifd(0x8769).update({36867: "2026:11:22 09:59:59", 42036: "Petzval", 40962: 4000, 40963: 3000})
    tags.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 30.0)})
    tags.update(extra)
    return tags.tobytes()


def rgb_profile(primaries=P3, gamma=2.2, white=D65, curve=b""):
    """A matrix profile, ICC version 2, as LittleCMS reads it."""
    matrix = np.stack([_xyz(*corner) for corner in primaries], axis=1)
    matrix = _adapted(white) @ (matrix * np.linalg.solve(matrix, _xyz(*white)))
    curve = curve or b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(
        b"RGB ",
        {b"wtpt": _tag(_xyz(*D50))}
        | {name: _tag(matrix[:, at]) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
        | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    )


def grey_profile(gamma=2.2):
    """A profile of grey."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"GRAY", {b"wtpt": _tag(_xyz(*D50)), b"kTRC": curve})


def _xyz(x, y):
    return np.array([x / y, 1, (1 - x - y) / y])


def _adapted(white):
    """Bradford's adaptation from this white to D50."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    return np.linalg.inv(cone) @ np.diag((cone @ _xyz(*D50)) / (cone @ _xyz(*white))) @ cone


def _tag(values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *[round(float(value) * 65536) for value in values])


def _profile(space, tags):
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        **tags,
    }
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s6H", start + len(body), b"test", 0x02400000, b"mntr", space, b"XYZ ", *[1] * 6)
    head += b"acsp" + bytes(28) + _tag(_xyz(*D50))[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
