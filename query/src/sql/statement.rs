//! From text to one statement that may run: length, depth and kind are checked before anything is planned.
//!
//! A planner descends its trees by recursion, and so do their destructors, so depth is bounded before a tree
//! exists: brackets by the parser, chains of operators by counting tokens, and common table expressions by
//! counting the tables that stand there once each is written out where it is used.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, ObjectName, Query, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::error::{SqlError, SqlErrorCode};

/// Operators in one query, so that a chain of them stays within the stack of a planner.
const OPERATORS_MAX: usize = 1_000;
/// Arithmetic in one expression: the time to plan it grows with the third power of its length.
const ARITHMETIC_MAX: usize = 128;
/// Brackets within brackets. The parser tries several readings of each, so that time grows steeply with depth.
const BRACKET_DEPTH_MAX: usize = 32;
/// Depth of recursion of the parser itself.
const RECURSION_MAX: usize = 50;
/// Tables of one query, with common table expressions written out.
const RELATIONS_MAX: u64 = 256;

/// Parses one statement and refuses what does not read.
///
/// # Errors
/// `parse_error` for what is not SQL, `unsupported` beyond the limits above, `read_only` for statements that change
/// something.
pub(crate) fn parse(sql: &str, text_bytes_max: usize) -> Result<Statement, SqlError> {
    if sql.len() > text_bytes_max {
        let message = format!(
            "the query has {} bytes of text, the limit is {text_bytes_max}",
            sql.len()
        );
        return Err(SqlError::new(SqlErrorCode::ParseError, message));
    }
    let tokens = Tokenizer::new(&GenericDialect, sql)
        .tokenize_with_location()
        .map_err(|error| SqlError::new(SqlErrorCode::ParseError, error.to_string()))?;
    check_depth(tokens.iter().map(|token| &token.token))?;
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&GenericDialect)
        .with_recursion_limit(RECURSION_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| SqlError::from_datafusion(&error))?;
    let statement = match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => statement,
        (None, _) => return Err(SqlError::new(SqlErrorCode::ParseError, "the query is empty")),
        (Some(_), more) => {
            let message = format!("the text holds {} statements, one is allowed", more + 1);
            return Err(SqlError::new(SqlErrorCode::ParseError, message));
        }
    };
    check_reads(&statement)?;
    check_relations(&statement)?;
    Ok(statement)
}

fn check_depth<'a>(tokens: impl Iterator<Item = &'a Token>) -> Result<(), SqlError> {
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

fn check_reads(statement: &Statement) -> Result<(), SqlError> {
    match statement {
        Statement::Explain(explain) => check_reads(&explain.statement),
        Statement::Statement(statement) => check_ast_reads(statement),
        Statement::CreateExternalTable(_) => Err(read_only("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(read_only("COPY")),
        Statement::Reset(_) => Err(read_only("RESET")),
    }
}

fn check_ast_reads(statement: &ast::Statement) -> Result<(), SqlError> {
    match statement {
        ast::Statement::Query(query) => check_query_reads(query),
        ast::Statement::Explain { statement, .. } => check_ast_reads(statement),
        ast::Statement::ExplainTable { .. }
        | ast::Statement::ShowTables { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowFunctions { .. } => Ok(()),
        other => {
            let text = other.to_string();
            let words: Vec<_> = text.split_whitespace().take(2).collect();
            Err(read_only(&words.join(" ")))
        }
    }
}

/// A query may carry a change in its body or in one of its parts: `WITH x AS (...) INSERT ...`.
fn check_query_reads(query: &Query) -> Result<(), SqlError> {
    struct Changes(Option<String>);
    impl Visitor for Changes {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let name = match query.body.as_ref() {
                ast::SetExpr::Insert(_) => "INSERT",
                ast::SetExpr::Update(_) => "UPDATE",
                ast::SetExpr::Delete(_) => "DELETE",
                ast::SetExpr::Merge(_) => "MERGE",
                ast::SetExpr::Select(select) if select.into.is_some() => "SELECT INTO",
                _ => return ControlFlow::Continue(()),
            };
            self.0 = Some(name.to_owned());
            ControlFlow::Break(())
        }
    }
    let mut changes = Changes(None);
    let _ = query.visit(&mut changes);
    match changes.0 {
        Some(name) => Err(read_only(&name)),
        None => Ok(()),
    }
}

fn read_only(what: &str) -> SqlError {
    SqlError::new(
        SqlErrorCode::ReadOnly,
        format!("{what} is refused: SQL only reads here"),
    )
    .with_hint("samples are written with Prometheus remote write")
}

fn check_relations(statement: &Statement) -> Result<(), SqlError> {
    let mut weigher = Weigher::default();
    let mut statement = statement;
    while let Statement::Explain(explain) = statement {
        statement = &explain.statement;
    }
    if let Statement::Statement(statement) = statement {
        let _ = statement.visit(&mut weigher);
    }
    if weigher.total > RELATIONS_MAX {
        let message = format!(
            "the query reads more than {RELATIONS_MAX} tables, counting a WITH part each time it is used"
        );
        return Err(SqlError::new(SqlErrorCode::Unsupported, message));
    }
    Ok(())
}

/// Counts the tables of a query as the planner will see them: a common table expression counts what it holds
/// wherever it is named. A name that is defined twice counts as the heavier one.
#[derive(Default)]
struct Weigher {
    /// Tables in the query that is open, and in those around it.
    open: Vec<u64>,
    /// What each common table expression holds, by lower-case name.
    weights: HashMap<String, u64>,
    /// The name under which a query is defined, by the query's address.
    names: HashMap<usize, String>,
    total: u64,
}

impl Visitor for Weigher {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = cte.alias.name.value.to_lowercase();
            self.names
                .insert(std::ptr::from_ref(cte.query.as_ref()) as usize, name);
        }
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let weight = self.open.pop().unwrap_or_default();
        if let Some(name) = self.names.remove(&(std::ptr::from_ref(query) as usize)) {
            let known = self.weights.entry(name).or_default();
            *known = weight.max(*known);
        }
        match self.open.last_mut() {
            Some(outer) => *outer = outer.saturating_add(weight),
            None => self.total = self.total.saturating_add(weight),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let weight = self
            .weights
            .get(&relation.to_string().to_lowercase())
            .copied()
            .unwrap_or(1);
        if let Some(open) = self.open.last_mut() {
            *open = open.saturating_add(weight);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses as a query is parsed, with the stack of the threads for SQL.
    fn code(sql: &str) -> Result<(), SqlErrorCode> {
        let sql = sql.to_owned();
        let parse = move || parse(&sql, 1 << 18).map(drop).map_err(|error| error.code);
        let thread = std::thread::Builder::new().stack_size(super::super::engine::STACK_BYTES);
        thread.spawn(parse).unwrap().join().unwrap()
    }

    #[test]
    fn only_reading_passes() {
        for sql in [
            "SELECT 1",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "DESCRIBE up",
            "VALUES (1)",
            "SELECT 1;",
        ] {
            assert_eq!(code(sql), Ok(()), "{sql}");
        }
        for sql in [
            "CREATE TABLE a (b INT)",
            "CREATE TABLE a AS SELECT 1",
            "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE VIEW a AS SELECT 1",
            "COPY (SELECT 1) TO '/tmp/x'",
            "INSERT INTO up VALUES (1)",
            "WITH a AS (SELECT 1) INSERT INTO up SELECT * FROM a",
            "SELECT 1 INTO a",
            "EXPLAIN INSERT INTO up VALUES (1)",
            "EXPLAIN ANALYZE DELETE FROM up",
            "DELETE FROM up",
            "UPDATE up SET value = 1",
            "DROP TABLE up",
            "SET x = 1",
            "RESET x",
            "BEGIN",
            "PREPARE a AS SELECT 1",
            "TRUNCATE TABLE up",
        ] {
            assert_eq!(code(sql), Err(SqlErrorCode::ReadOnly), "{sql}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_statement() {
        for sql in [
            "",
            " ",
            ";",
            "SELEC 1",
            "SELECT 1; SELECT 2",
            "SELECT 'open",
            "\0",
            "SELECT 1 FROM",
        ] {
            assert_eq!(code(sql), Err(SqlErrorCode::ParseError), "{sql}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep =
            |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
        for sql in [
            deep("(", ")", 10_000),
            deep("NOT ", "", 10_000),
            deep("- ", "", 10_000),
            deep("CASE WHEN true THEN ", " END", 10_000),
            deep("(SELECT ", ")", 10_000),
            deep("abs(", ")", 10_000),
            deep("[", "]", 10_000),
            deep("", "+1", 10_000),
            deep("", " IS NULL", 10_000),
            deep("", "::int", 10_000),
            deep("", " UNION SELECT 1", 10_000),
            "(".repeat(100_000),
            "SELECT ".repeat(10_000),
            format!("SELECT 1 -- {}", "x".repeat(1 << 20)),
            "EXPLAIN ".repeat(10_000),
            deep("", "+1", 129),
            deep("", "+(1, 1)", 129),
            deep("(", ", 1)+(1+1+1+1+1)", 30),
        ] {
            assert_eq!(code(&sql), Err(SqlErrorCode::ParseError), "{}", &sql[..40]);
        }
        let sums = vec!["1+1+1+1"; 200].join(", ");
        assert_eq!(
            code(&format!("SELECT {sums}")),
            Ok(()),
            "each column has its own measure"
        );
    }

    #[test]
    fn brackets_at_the_limit_take_no_time() {
        for sql in ["SELECT * FROM ", "SELECT ", "SELECT 1 WHERE ", "SELECT a IN ", ""] {
            for inner in ["1", "SELECT 1", "a JOIN b", "1, 2", ")"] {
                let text = format!(
                    "{sql}{}{inner}{}",
                    "(".repeat(BRACKET_DEPTH_MAX),
                    ")".repeat(BRACKET_DEPTH_MAX)
                );
                let _ = code(&text);
            }
        }
    }

    #[test]
    fn parts_that_multiply_are_counted() {
        let mut sql = "WITH c0 AS (SELECT 1 AS a FROM up)".to_owned();
        for i in 1..30 {
            sql += &format!(", c{i} AS (SELECT x.a FROM c{0} x, c{0} y)", i - 1);
        }
        assert_eq!(
            code(&format!("{sql} SELECT * FROM c29")),
            Err(SqlErrorCode::Unsupported)
        );
        let many = vec!["up"; 300].join(", ");
        assert_eq!(
            code(&format!("SELECT 1 FROM {many}")),
            Err(SqlErrorCode::Unsupported)
        );
        assert_eq!(
            code("WITH a AS (SELECT 1 FROM up), b AS (SELECT * FROM a, a x) SELECT * FROM b"),
            Ok(())
        );
    }
}
