//! Where tokens stand in their text, in bytes.

use datafusion::sql::sqlparser::tokenizer::Location;

/// Turns lines and columns of characters into bytes of one text.
pub(super) struct Places<'a> {
    sql: &'a str,
    /// where each line begins
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        let behind_breaks = sql.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            sql,
            lines: std::iter::once(0).chain(behind_breaks).collect(),
        }
    }

    /// The byte at a location; the end of the text for one behind it.
    pub(super) fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let begin = self.lines.get(line).copied().unwrap_or(self.sql.len());
        let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest = self.sql.get(begin..).unwrap_or_default();
        begin + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    /// The text from one location to before another.
    pub(super) fn between(&self, start: Location, end: Location) -> &'a str {
        self.sql
            .get(self.offset(start)..self.offset(end))
            .unwrap_or_default()
    }
}
