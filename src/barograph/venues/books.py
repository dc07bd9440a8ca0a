"""Which names of a venue are one order book.

Coinbase lists BTC-USDC beside BTC-USD, and both trade in the book of BTC-USD; USDT-USDC is a book
of its own beside USDT-USD. So a name never tells it by its ending: the venue says it (`alias` and
`alias_to` of a product of Advanced Trade), and for recordings, where nobody can be asked, the list
below does. Names that neither knows stay apart.
"""

import re
from collections.abc import Mapping

SUFFIX = "suffix"
"""Versions before this list took each -USDC name for that of -USD: what their archives hold."""

UNIFIED = "coinbase-usdc-1"
"""The name of the list below; a list with other names in it gets another one."""

# Sources: the answer of Advanced Trade's public products, whose -USDC entries name the -USD one as
# their `alias` (docs.cdp.coinbase.com, "List Public Products"); and Coinbase's developer forum,
# "The mess of -USD and -USDC pairs" (2023), where the staff confirms that all of them are one book
# but USDT-USDC. Here are well-known ones of those that were traded against USD then. No stablecoin
# is among them: these have books of their own (USDT-USDC, EURC-USDC).
_unified_base = re.compile(
    "1INCH|AAVE|ADA|ALGO|ANKR|APE|APT|ARB|ATOM|AVAX|AXS|BAT|BCH|BLUR|BTC|CHZ|COMP|CRV|DASH|DOGE|DOT|"
    "ENS|EOS|ETC|ETH|FET|FIL|FLR|GRT|HBAR|ICP|IMX|INJ|JASMY|KSM|LDO|LINK|LRC|LTC|MANA|MASK|MATIC|"
    "MINA|MKR|NEAR|OP|QNT|RNDR|SAND|SHIB|SKL|SNX|SOL|STX|SUI|SUSHI|UMA|UNI|VET|XLM|XRP|XTZ|YFI|ZEC|"
    "ZRX"
).fullmatch

Books = Mapping[str, str] | str


def book_of(name: str, books: Books = UNIFIED) -> str:
    """Return the name of a product's book: the one under which the venue sends its data.

    books: the venue's own word (a name → its book), the name of a list, or `SUFFIX`.
    """
    if not isinstance(books, str):
        return books.get(name, name)
    base, dash, quote = name.rpartition("-")
    if not dash or quote != "USDC" or (books != SUFFIX and not _unified_base(base)):
        return name
    return f"{base}-USD"
