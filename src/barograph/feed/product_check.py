"""Products are looked up in the venue's own list before its socket is opened."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.rest import AnswerError, Rest
from barograph.venues.books import UNIFIED, book_of
from barograph.venues.coinbase.endpoints import Endpoint, joined
from barograph.venues.coinbase.product_list import (
    ProductList,
    decode_product,
    decode_products,
    near_names,
)
from barograph.venues.entries import Dialect
from barograph.wire import reason_of

MAX_LIST_BYTES = 8 << 20
"""Coinbase lists some 1,000 products at a thousand bytes each."""

ASK_FOR_S = 5.0
"""How long the list is waited for; the socket does without it."""

MAX_SINGLE = 8
"""So many names that the list lacks are asked for by themselves."""

Fetch = Callable[[str, int], Awaitable[bytes]]


class CheckedProducts(msgspec.Struct, frozen=True, kw_only=True):
    """The `products` to subscribe to, and the lines for a person about them.

    `books` says which names are one book, for the rules of the feed; `one_book` has those of the
    names that were given. `unchecked` says why the venue's list is not known, where it is not.
    """

    products: tuple[str, ...]
    books: dict[str, str] | str
    one_book: dict[str, str] = {}
    remarks: tuple[str, ...] = ()
    unchecked: str = ""


def check_products(
    endpoint: Endpoint, names: Sequence[str], fetch: Fetch | None = None
) -> CheckedProducts:
    """Look names up in the venue's list of products; go on without it where it does not come.

    Raises BadInputError for names that the venue does not list, with those that are near.
    """
    if endpoint.products is None:
        return _checked(names, UNIFIED, "its documentation")
    fetch = fetch or Rest(proxies=not endpoint.local).get
    try:
        listed = asyncio.run(_list(endpoint.products, endpoint.dialect, names, fetch))
    except (AnswerError, OSError, *UNREADABLE) as error:
        why = f"no list of products within {ASK_FOR_S:g} s"
        if not isinstance(error, TimeoutError):
            why = f"no list of products ({reason_of(error)})"
        checked = _checked(names, UNIFIED, "its documentation")
        unchecked = f"{endpoint.venue} gives {why}: the products are not checked"
        return msgspec.structs.replace(checked, unchecked=unchecked)
    # Where a list knows no aliases, a name that it lacks may still be one by the documentation.
    found = listed.names | listed.books.keys()
    known = {name: book_of(name) for name in names if name not in found}
    by_list = {name: book for name, book in known.items() if book != name and book in listed.names}
    unlisted = [name for name in known if name not in by_list]
    if unlisted:
        raise _unlisted(endpoint, unlisted, listed)
    taken = {listed.books.get(name, name) for name in names} | set(by_list.values())
    books = {name: book for name, book in listed.books.items() if book in taken}
    # The documentation speaks only where the list knows no aliases.
    source = "its documentation" if by_list else "its list of products"
    return _checked(names, {**books, **by_list}, source)


async def _list(url: str, dialect: Dialect, names: Sequence[str], fetch: Fetch) -> ProductList:
    """Return the list at `url`, and those of `names` that the venue has beside it.

    Lists leave out some kinds of futures, which can be asked for by name.
    """
    async with asyncio.timeout(ASK_FOR_S):
        listed = decode_products(await fetch(url, MAX_LIST_BYTES), dialect)
        for name in [name for name in names if name not in listed.names][:MAX_SINGLE]:
            with suppress(AnswerError, *UNREADABLE):
                single = decode_product(await fetch(f"{url}/{name}", MAX_LIST_BYTES), dialect)
                listed = ProductList(listed.names | single.names, listed.books | single.books)
        return listed


def _checked(names: Sequence[str], books: dict[str, str] | str, source: str) -> CheckedProducts:
    products, remarks = joined(names, books, source)
    return CheckedProducts(
        products=tuple(products),
        books=books,
        one_book={name: book for name in names if (book := book_of(name, books)) != name},
        remarks=tuple(remarks),
    )


def _unlisted(endpoint: Endpoint, names: Sequence[str], listed: ProductList) -> BadInputError:
    near = dict.fromkeys(each for name in names for each in near_names(name, listed.names))
    shown = list(near) or sorted(listed.names)[:4]
    what = "product" if len(names) == 1 else "products"
    return BadInputError(
        f"{what} {', '.join(names[:8])}",
        f"{endpoint.venue} does not list {'it' if len(names) == 1 else 'them'}",
        f"Give a name that it lists, such as {', '.join(shown[:6])}"
        if shown
        else "Check the venue: it lists no product at all",
    )
