"""Times that go on where a clip's clock jumps, as in two recordings that were put together by copying their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

    AnyPacket = TypeVar("AnyPacket", bound=Packet[Any])

_USUAL_RATE = Fraction(50)  # packets of sound a second, about
_LONGEST_GAP = 3600  # seconds between two frames; a longer gap is taken for a mistake of the clock


def demuxed(container: InputContainer, stream: Stream) -> Iterator[Packet[Any]]:
    """The packets of a stream, in the order of decoding, with times that go on."""
    base = stream.time_base or Fraction(1, 1000)
    return Clock(base, _USUAL_RATE).continuous(container.demux(stream))


class Clock:
    """Lets the times of one stream's packets go on; `jumps` counts the places where they did not by themselves."""

    def __init__(self, base: Fraction, rate: Fraction) -> None:
        """`base` is a tick in seconds; `rate` is the number of packets a second, where they do not say their length."""
        self.jumps = 0
        self._gap = round(_LONGEST_GAP / base)
        self._usual = max(1, round(1 / (rate * base)))

    def continuous(self, packets: Iterable[AnyPacket]) -> Iterator[AnyPacket]:
        """The packets of a stream, in the order of decoding; a single one whose time is wrong gets the next time."""
        shift, last, step = 0, None, self._usual
        for packet, following in pairwise(chain(packets, (None,))):
            assert packet is not None
            own = shift
            if packet.size and packet.dts is not None:
                after = following.dts if following is not None and following.size else None
                if last is not None:
                    alone = after is not None and not self._jumps(after + shift - last, step)
                    away = self._jumps(packet.dts + shift - last, step)
                    if away or (alone and after is not None and self._jumps(after - packet.dts, step)):
                        own = last + step - packet.dts
                        if not alone:
                            shift = own
                            self.jumps += 1
                last = packet.dts + own
                step = packet.duration or self._usual
            if own:
                packet.pts = None if packet.pts is None else packet.pts + own
                packet.dts = None if packet.dts is None else packet.dts + own
            yield packet

    def _jumps(self, ticks: int, step: int) -> bool:
        """Whether so many ticks from one packet to the next, after one that lasts `step`, are a jump."""
        return ticks <= -max(1, step // 2) or ticks > self._gap
