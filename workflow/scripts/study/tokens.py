"""Documents as token ids, in the form of the models' family: <bos> document <eos>.

The tokenizer itself puts <bos> before every text; <eos> is added here, as the end of a document.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from more_itertools import chunked
from numpy.typing import DTypeLike
from tokenizers import Tokenizer

from study.files import UserError, read_json
from study.text import read_documents

BATCH = 1000  # documents that are tokenised together, on all threads


def read_tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """A tokenizer and the id of the token that ends a document.

    Raises:
        UserError: if the tokenizer has no such token.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    token = read_json(folder / "tokenizer_config.json").get("eos_token")
    token = token["content"] if isinstance(token, dict) else token  # as older versions of transformers write it
    end = tokenizer.token_to_id(token) if token else None
    if end is None:
        raise UserError(f"The tokenizer in {folder} has no token that ends a document: `eos_token` is {token!r}.")
    return tokenizer, end


def documents_as_ids(
    tokenizer: Tokenizer, end: int, corpus: Path, dtype: DTypeLike, limit: int | None = None
) -> Iterator[np.ndarray]:
    """The ids of each document of a corpus, shape (tokens,), read and tokenised piece by piece.

    Args:
        limit: of all ids together; the document that reaches it is cut there.

    Raises:
        UserError: as `read_documents`, or if there is no document.
    """
    count = 0
    for documents in chunked(read_documents(corpus), BATCH):
        for encoding in tokenizer.encode_batch_fast(documents):
            ids = np.array([*encoding.ids, end], dtype)[: None if limit is None else limit - count]
            yield ids
            count += len(ids)
            if count == limit:
                return
    if not count:
        raise UserError(f"No document in {corpus}.")
