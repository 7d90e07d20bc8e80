//! Trying again what failed for a reason that may pass.

use std::time::Duration;

use super::BackupFailure;

/// How often one file is tried. Each request of it is tried several times below this already.
const ATTEMPTS: u32 = 4;

/// The pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Runs `work` until it succeeds, fails for a reason that stays, or has been tried often enough.
pub(super) async fn retried<T, F: Future<Output = Result<T, BackupFailure>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, BackupFailure> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
    work().await
}
