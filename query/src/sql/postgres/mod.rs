//! What PostgreSQL's clients expect beside SQL: its catalog, its functions, its way to write things.
//!
//! The tables, functions and rewrites are `datafusion-pg-catalog`'s. It numbers what it shows, and clients ask again by number, so
//! there is one catalog for the process: it looks at the store anew each time ([`live`]).

mod live;
mod places;
mod prepare;
mod session;
mod split;

use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use super::catalog::CATALOG;
use super::error::{SqlError, SqlErrorCode};

pub(crate) use live::LiveCatalog;
pub use session::SessionStatement;
pub use split::split_statements;

/// The schema's name.
pub(crate) const PG_CATALOG: &str = "pg_catalog";

/// What queries of PostgreSQL's clients are planned with.
pub(crate) struct PostgresParts {
    /// Functions and types besides those of every query.
    pub(crate) template: SessionState,
    /// The schema `pg_catalog`.
    pub(crate) schema: Arc<dyn SchemaProvider>,
    parser: PostgresCompatibilityParser,
}

impl PostgresParts {
    /// Adds to the template of every query. `live` is what the catalog shows.
    pub(crate) fn new(template: &SessionState, live: Arc<LiveCatalog>) -> Result<Self> {
        let list: Arc<dyn CatalogProviderList> = Arc::clone(&live) as _;
        let state = SessionStateBuilder::new_from_existing(template.clone())
            .with_catalog_list(list)
            .build();
        let context = SessionContext::new_with_state(state);
        setup_pg_catalog(&context, CATALOG, EmptyContextProvider).map_err(|error| *error)?;
        let schema = live.take_registered()?;
        Ok(Self {
            template: context.state(),
            schema,
            parser: PostgresCompatibilityParser::new(),
        })
    }

    /// Parses text whose depth is known to be bounded, and writes anew what DataFusion does not understand.
    pub(crate) fn parse(&self, sql: &str) -> Result<Vec<ast::Statement>, SqlError> {
        self.parser
            .parse(sql)
            .map_err(|error| SqlError::new(SqlErrorCode::ParseError, error.to_string()))
    }
}
