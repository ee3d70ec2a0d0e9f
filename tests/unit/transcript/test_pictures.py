from __future__ import annotations

import pytest

from streamchat_nb.protocol.content import ImageDisplay
from streamchat_nb.transcript.pictures import picture_of
from tests.unit.transcript.samples import png


def test_picture_is_what_it_says() -> None:
    data = png()
    wrapped = "\n".join(data[at : at + 60] for at in range(0, len(data), 60))
    picture = picture_of(ImageDisplay(media_type="image/png", data=wrapped))
    assert picture is not None
    assert picture.data_uri == f"data:image/png;base64,{data}"


@pytest.mark.parametrize(
    "data", ["", "x", "not base64!", "PHN2Zz4=", '"><script>', "A" * 4_000_001]
)
def test_what_is_no_picture_is_none(data: str) -> None:
    assert picture_of(ImageDisplay(media_type="image/png", data=data)) is None
    assert picture_of(ImageDisplay(media_type="image/jpeg", data=png())) is None
