//! Statements that `PREPARE` has named and `EXECUTE` runs.
//!
//! The engine knows how to read constants, so the values of an `EXECUTE` are asked of it: as the one row of a query, each cast
//! to the type that `PREPARE` has declared, or else to the one that follows from where the parameter stands.

use std::sync::Arc;

use barograph_query::sql::{Described, ScalarValue};
use pgwire::api::portal::Format;
use pgwire::api::results::{Response, Tag};
use pgwire::error::PgWireResult;

use super::error::{engine_error, statement_error};
use super::handlers::Handlers;

/// A statement with a name.
#[derive(Debug)]
pub(super) struct Named {
    sql: String,
    /// of the parameters, as they were written; empty where none were
    types: Vec<String>,
    pub(super) described: Described,
}

impl Named {
    /// How many values it takes.
    fn parameters(&self) -> usize {
        self.described.parameters.len().max(self.types.len())
    }
}

impl Handlers {
    /// Gives a statement its name.
    ///
    /// # Errors
    /// Those of the statement; 42P05 for a name that is taken, 53400 for one statement too many.
    pub(super) async fn prepare(&self, name: &str, types: &[String], sql: &str) -> PgWireResult<Response> {
        let request = self.session.request(sql, Vec::new());
        let described = self.sql.describe(request).await.map_err(engine_error)?;
        let (sql, types) = (sql.to_owned(), types.to_owned());
        self.session.enter_named(
            name,
            Named {
                sql,
                types,
                described,
            },
        )?;
        Ok(Response::Execution(Tag::new("PREPARE")))
    }

    /// Runs a named statement.
    ///
    /// # Errors
    /// 26000 for a name that nobody has given, 42601 for too few or too many values, and what the engine says of a value or of the
    /// statement.
    pub(super) async fn execute(
        &self,
        name: &str,
        written: &[String],
        format: &Format,
    ) -> PgWireResult<Response> {
        let named = self.session.named(name)?;
        let (wanted, given) = (named.parameters(), written.len());
        if wanted != given {
            let message = format!(
                "wrong number of parameters for prepared statement \"{name}\": expected {wanted}, got {given}"
            );
            return Err(statement_error("42601", &message));
        }
        let values = self.values_of(&named, written).await?;
        self.query(&named.sql, values, format).await
    }

    async fn values_of(&self, named: &Arc<Named>, written: &[String]) -> PgWireResult<Vec<ScalarValue>> {
        if written.is_empty() {
            return Ok(Vec::new());
        }
        let column = |(place, text): (usize, &String)| match named.types.get(place) {
            Some(declared) => format!("CAST(({text}) AS {declared}) AS a{place}"),
            None => format!("({text}) AS a{place}"),
        };
        let columns: Vec<_> = written.iter().enumerate().map(column).collect();
        let request = self
            .session
            .request(&format!("SELECT {}", columns.join(", ")), Vec::new());
        let stream = self.sql.run(request).await.map_err(engine_error)?;
        let batches = stream.collect_batches().await.map_err(engine_error)?;
        let row = batches.iter().find(|batch| batch.num_rows() > 0);
        (0..written.len())
            .map(|place| {
                let wrong = |what: &dyn std::fmt::Display| {
                    let message = format!("{} as ${}: {what}", written[place], place + 1);
                    statement_error("22P02", &message)
                };
                let column = row.map(|row| row.column(place));
                let column = column.ok_or_else(|| wrong(&"no value"))?;
                let value = ScalarValue::try_from_array(column, 0).map_err(|error| wrong(&error))?;
                match named.described.parameters.get(place) {
                    Some(Some(wanted)) => value.cast_to(wanted).map_err(|error| wrong(&error)),
                    _ => Ok(value),
                }
            })
            .collect()
    }
}
