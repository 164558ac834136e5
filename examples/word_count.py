"""Word count: how often each word stands in lines of text.

eau2 run examples/word_count.py            the words of a poem
eau2 run examples/word_count.py -- FILE    the words of a file
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

import eau2

POEM = """\
Twinkle, twinkle, little star,
How I wonder what you are!
Up above the world so high,
Like a diamond in the sky.
Twinkle, twinkle, little star,
How I wonder what you are!
"""

SQL = """
SELECT word, count(*) AS n
FROM (SELECT unnest(string_split(regexp_replace(lower(line), '[.,;:!?]', '', 'g'), ' ')) AS word
      FROM lines)
WHERE word <> ''
GROUP BY word
ORDER BY n DESC, word
"""


@eau2.table_function
def words(line: str) -> list[str]:
    """The words of a line, without what is written around them."""
    bare = [word.strip(".,;:!?") for word in line.lower().split()]
    return [word for word in bare if word]


class WordCount(eau2.Application):
    """Stores the lines, and under `words` each word with its number."""

    def run(self, kv: eau2.KeyValueStore) -> None:
        """Show the most frequent words."""
        text = Path(self.arguments[0]).read_text("utf-8") if self.arguments else POEM
        lines = kv.put("lines", pa.table({"line": text.splitlines()}), replace=True)
        counted = lines.flat_map(word=words).group_by("word").reduce(n="count(*)")
        kv.compute("words", counted.sort("n", "word", descending=["n"]), replace=True)
        kv.get("words").limit(5).show()
