//! How deep and how long a query may be, told from its tokens before a tree exists.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::sql::error::{SqlError, SqlErrorCode};

/// Operators in one query, so that a chain of them stays within the stack of a planner.
const OPERATORS_MAX: usize = 1_000;
/// Arithmetic in one expression: the time to plan it grows with the third power of its length.
const ARITHMETIC_MAX: usize = 128;
/// Brackets within brackets. The parser tries several readings of each, so that time grows steeply with depth.
pub(super) const BRACKET_DEPTH_MAX: usize = 32;
/// Refuses more brackets or operators than a planner can descend.
pub(super) fn check_depth<'a>(tokens: impl Iterator<Item = &'a Token>) -> Result<(), SqlError> {
    let refuse = |what: String| {
        Err(SqlError::new(
            SqlErrorCode::ParseError,
            format!("the query has more than {what}"),
        ))
    };
    let mut operators = 0usize;
    // The arithmetic within the brackets that are open: where each pair began, how far it is now, how far it got.
    // A comma begins anew; what a pair of brackets held goes on behind it.
    let mut chains = vec![(0usize, 0usize, 0usize)];
    for token in tokens {
        let (began, now, most) = chains.last().copied().unwrap_or_default();
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => chains.push((now, now, now)),
            Token::RParen | Token::RBracket | Token::RBrace if chains.len() > 1 => {
                chains.pop();
                if let Some((_, now, most_outside)) = chains.last_mut() {
                    *now = most;
                    *most_outside = most.max(*most_outside);
                }
            }
            Token::Comma => {
                if let Some((_, now, _)) = chains.last_mut() {
                    *now = began;
                }
            }
            Token::Word(word) => operators += usize::from(can_chain(word.keyword)),
            Token::Whitespace(_) | Token::Number(..) | Token::Period | Token::SemiColon | Token::EOF => {}
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {}
            Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => operators += 1,
            _ => {
                operators += 1;
                if let Some((_, now, most)) = chains.last_mut() {
                    *now += 1;
                    *most = (*most).max(*now);
                }
            }
        }
        if chains.len() > BRACKET_DEPTH_MAX + 1 {
            return refuse(format!("{BRACKET_DEPTH_MAX} brackets within each other"));
        }
        if chains.last().is_some_and(|(_, now, _)| *now > ARITHMETIC_MAX) {
            return refuse(format!("{ARITHMETIC_MAX} arithmetic operators in one expression"));
        }
        if operators > OPERATORS_MAX {
            return refuse(format!("{OPERATORS_MAX} operators"))
                .map_err(|error| error.with_hint("write IN (...) instead of many ORs"));
        }
    }
    Ok(())
}

/// Words that can follow each other so often that trees grow deep.
fn can_chain(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::BETWEEN
            | Keyword::IN
            | Keyword::AT
            | Keyword::COLLATE
            | Keyword::DIV
            | Keyword::OVERLAPS
            | Keyword::MEMBER
            | Keyword::OPERATOR
            | Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::MINUS
            | Keyword::JOIN
            | Keyword::APPLY
            | Keyword::PIVOT
            | Keyword::UNPIVOT
            | Keyword::MATCH_RECOGNIZE
            | Keyword::EXPLAIN
            | Keyword::DESCRIBE
            | Keyword::DESC
            | Keyword::CASE
            | Keyword::INTERVAL
            | Keyword::PRIOR
    )
}
