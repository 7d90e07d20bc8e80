//! Where one statement ends and the next begins: at a `;` outside of texts, quoted names and comments.

/// A text cut into statements.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Split {
    /// Those that end in `;`, without it. None is blank.
    pub(in crate::cli) complete: Vec<String>,
    /// What follows the last `;`; blank when nothing but blanks and comments does.
    pub(in crate::cli) rest: String,
    /// Where the text ends.
    pub(in crate::cli) end: Place,
}

/// What surrounds a place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Place {
    /// Plain SQL.
    Plain,
    /// A text: `'...'`.
    Text,
    /// A quoted name: `"..."`.
    Name,
    /// A comment: `-- ...` up to the end of the line.
    LineComment,
    /// A comment: `/* ... */`, as deep as they are nested.
    BlockComment(u32),
}

impl Split {
    /// All statements, the last one also without its `;`.
    pub(in crate::cli) fn statements(self) -> Vec<String> {
        let mut all = self.complete;
        if !self.rest.is_empty() {
            all.push(self.rest);
        }
        all
    }
}

/// Cuts a text into statements.
pub(in crate::cli) fn split(text: &str) -> Split {
    let mut complete = Vec::new();
    let (mut place, mut start, mut has_sql) = (Place::Plain, 0, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let was = place;
        place = match (place, c, next) {
            (Place::Plain, '\'', _) => Place::Text,
            (Place::Plain, '"', _) => Place::Name,
            (Place::Plain, '-', Some('-')) => Place::LineComment,
            (Place::Plain, '/', Some('*')) => {
                chars.next();
                Place::BlockComment(1)
            }
            (Place::Plain, ';', _) => {
                if has_sql {
                    complete.push(text[start..at].trim().to_owned());
                }
                (start, has_sql) = (at + 1, false);
                continue;
            }
            // A doubled quote leaves and enters again, which comes to the same.
            (Place::Text, '\'', _) | (Place::Name, '"', _) | (Place::LineComment, '\n', _) => Place::Plain,
            (Place::BlockComment(depth), '/', Some('*')) => {
                chars.next();
                Place::BlockComment(depth + 1)
            }
            (Place::BlockComment(depth), '*', Some('/')) => {
                chars.next();
                if depth == 1 {
                    Place::Plain
                } else {
                    Place::BlockComment(depth - 1)
                }
            }
            (same, ..) => same,
        };
        let is_comment = |place| matches!(place, Place::LineComment | Place::BlockComment(_));
        has_sql |= !c.is_whitespace() && !is_comment(was) && !is_comment(place);
    }
    let rest = if has_sql {
        text[start..].trim().to_owned()
    } else {
        String::new()
    };
    Split {
        complete,
        rest,
        end: place,
    }
}

/// Whether Enter should run what stands at the prompt: a command, nothing, or statements that all end in `;`.
pub(in crate::cli) fn is_complete(input: &str) -> bool {
    if super::command::is_command(input) {
        return true;
    }
    let split = split(input);
    split.rest.is_empty() && matches!(split.end, Place::Plain | Place::LineComment)
}
