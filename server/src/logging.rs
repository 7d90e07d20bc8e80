//! The program's own log: structured lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The variable that says what is logged, such as `debug` or `barograph=debug,info`.
pub const LOG_VARIABLE: &str = "BAROGRAPH_LOG";

/// Begins to log: readable lines on a terminal, else one JSON object a line. `default` counts where the variable
/// `BAROGRAPH_LOG` is not set.
///
/// # Errors
/// When the process logs already.
pub fn init(default: &str) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    if std::io::stderr().is_terminal() {
        registry
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
            .try_init()
    } else {
        registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .with_writer(std::io::stderr),
            )
            .try_init()
    }
}
