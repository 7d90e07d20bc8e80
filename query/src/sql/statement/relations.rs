//! How many tables a query reads once every common table expression is written out where it is used.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Visit, Visitor};

use crate::sql::error::{SqlError, SqlErrorCode};

/// Tables of one query, with common table expressions written out.
pub(crate) const RELATIONS_MAX: u64 = 256;

/// Refuses a query that reads too many tables, views not counted.
pub(super) fn check_relations(statement: &Statement) -> Result<(), SqlError> {
    if relations(statement) > RELATIONS_MAX {
        let message = format!(
            "the query reads more than {RELATIONS_MAX} tables, counting a WITH part each time it is used"
        );
        return Err(SqlError::new(SqlErrorCode::Unsupported, message));
    }
    Ok(())
}

/// Tables that a statement reads, a common table expression counted wherever it is named.
pub(crate) fn relations(statement: &Statement) -> u64 {
    let mut weigher = Weigher::default();
    let mut statement = statement;
    while let Statement::Explain(explain) = statement {
        statement = &explain.statement;
    }
    if let Statement::Statement(statement) = statement {
        let _ = statement.visit(&mut weigher);
    }
    weigher.total
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
