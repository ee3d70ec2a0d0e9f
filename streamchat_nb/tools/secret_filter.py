"""What looks like a secret, and leaving it out of what is shared.

The patterns are few and sure: keys whose makers gave them a prefix, tokens and key
files of a known form, and names that say what they hold.
"""

from __future__ import annotations

import re

__all__ = ["SecretFilter"]

_LEFT_OUT = "[secret left out]"

_SECRET = re.compile(
    r"""(?x)
    (?<![A-Za-z0-9_-]) (?:
      sk-[A-Za-z0-9_-]{16,}                           # model providers
    | [sr]k_(?:live|test)_[A-Za-z0-9]{10,}            # payments
    | gh[pousr]_[A-Za-z0-9]{20,}                      # code hosting
    | github_pat_[A-Za-z0-9_]{20,}
    | glpat-[A-Za-z0-9_-]{16,}
    | hf_[A-Za-z0-9]{20,}
    | npm_[A-Za-z0-9]{30,}
    | pypi-[A-Za-z0-9_-]{30,}
    | xox[abeoprs]-[A-Za-z0-9-]{10,}                  # team chat
    | (?:AKIA|ASIA)[A-Z0-9]{16} (?![A-Za-z0-9])       # clouds
    | AIza[A-Za-z0-9_-]{30,}
    | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?   # JWT
    )
    | -----BEGIN\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY-----
      .*? (?: -----END\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY----- | \Z )
    """,
    re.DOTALL,
)
# Of these only the secret itself goes, not what says that there is one.
_SECRET_IN = re.compile(
    r"""(?ix)
    ( \b [a-z][a-z0-9+.-]{0,20}:// [^\s/:@]{0,64} : ) [^\s/@]{1,200} (?=@)   # address
    | ( \b bearer \s{1,4} ) [A-Za-z0-9._~+/-]{16,} =*
    | ( (?: password | passwd | passphrase | secret | api[_-]?key | access[_-]?key
          | private[_-]?key | auth[_-]?token | access[_-]?token )
        ['"]? \s{0,4} [=:] \s{0,4} ['"]? ) (?! \[secret | [<*] ) [^\s'",;)}\]]{3,200}
    """
)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:(?:passwords?|passwd|pwd|passphrases?|credentials?)(?:$|_)"
    r"|(?:secrets?|token|api_?keys?|(?:access|auth|private|secret|signing|encryption)"
    r"_?(?:keys?|tokens?)|tokens?_secrets?|cookie|bearer|jwt)_?\d{0,3}$)"
)


class SecretFilter:
    """Leaves secrets out of texts, and remembers whether there were any.

    Attributes:
        found: Something was left out.
    """

    def __init__(self) -> None:
        self.found = False

    def without_secrets(self, text: str) -> str:
        """Return ``text`` with a note in the place of each secret."""
        text, whole = _SECRET.subn(_LEFT_OUT, text)
        text, parts = _SECRET_IN.subn(
            lambda found: f"{found[1] or found[2] or found[3]}{_LEFT_OUT}", text
        )
        self.found = self.found or whole + parts > 0
        return text

    def left_out(self) -> str:
        """Return the note that stands for a secret value."""
        self.found = True
        return _LEFT_OUT

    @staticmethod
    def hides(name: str) -> bool:
        """Say whether a name says that it holds a secret: ``api_key``, ``userToken``.

        Not names of something about secrets: ``token_count``, ``n_tokens``.
        """
        words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name[:200])
        words = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
        return _SECRET_NAME.search(words) is not None
