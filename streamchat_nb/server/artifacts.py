"""``api/conversations/{id}/artifacts``: files attached to a conversation."""

from __future__ import annotations

from urllib.parse import quote

from typing_extensions import override

from streamchat_nb.conversation.artifacts import TEXT
from streamchat_nb.server.base import CONVERSATIONS, StreamchatHandler, allowed

__all__ = ["ArtifactHandler", "ArtifactsHandler"]

MOST_NAME_CHARACTERS = 400


class ArtifactsHandler(StreamchatHandler):
    """``POST api/conversations/{id}/artifacts``."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self, conversation: str) -> None:
        """Keep the file in the body, under the name in the query.

        The same file under the same name again gives the same artifact.
        """
        log = await self.service.open(self.principal, conversation)
        name = self.get_query_argument("name", "file")[:MOST_NAME_CHARACTERS]
        artifact = await self.service.attachments.keep(log.id, name, self.request.body)
        self.answer(
            {
                "artifact": artifact.id,
                "media_type": artifact.media_type,
                "name": artifact.name,
                "bytes": len(artifact.data),
            },
            status=201,
        )


class ArtifactHandler(StreamchatHandler):
    """``GET api/conversations/{id}/artifacts/{artifact}``."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self, conversation: str, artifact: str) -> None:
        """Answer with the file, to be saved and never to be run as a page."""
        log = await self.service.open(self.principal, conversation)
        found = await self.service.attachments.get(log.id, artifact)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        name = quote(found.name, safe="")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        is_text = found.media_type == TEXT
        kind = f"{TEXT}; charset=utf-8" if is_text else found.media_type
        self.finish(found.data, set_content_type=kind)
