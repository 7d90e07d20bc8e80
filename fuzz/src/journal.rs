//! The state of alerts, from a checkpoint on a disk as a start of the program finds it.

use std::sync::Arc;

use barograph::alerting::{ALERTS_DIR, check_contents};
use barograph_alerts::{AlertStore, Options};
use barograph_engine::check::read_journal;
use barograph_engine::inspect::{Inspection, inspect_bytes};
use barograph_engine::vfs::{SimVfs, Vfs};

use crate::seal;

/// What stands before the state: a name with a version, and the identity of the log.
pub(crate) const PREFIX: &[u8] = b"BAROHUB\x01identity";

/// The state of a journal comes back as it was, whatever its owner makes of it.
#[allow(
    clippy::expect_used,
    reason = "a disk in memory takes everything, or the target has found a bug"
)]
pub(crate) fn checkpoint(state: &[u8]) {
    let sealed = seal::checkpoint(state);
    let Ok(Inspection::Checkpoint(figures)) = inspect_bytes("fuzzed", sealed.clone().into(), None) else {
        panic!("a whole checkpoint is one");
    };
    assert_eq!((figures.next_seq, figures.state_bytes), (1, state.len() as u64));
    let disk: Arc<dyn Vfs> = Arc::new(SimVfs::new(7));
    write(disk.as_ref(), &format!("{ALERTS_DIR}/checkpoint"), &sealed);
    let contents = read_journal(&disk, ALERTS_DIR).expect("the journal is read");
    assert_eq!(contents.checkpoint.as_deref(), Some(state));
    match check_contents(ALERTS_DIR, &contents) {
        Ok(()) => again(&state[PREFIX.len()..]),
        Err(error) => assert!(
            error.to_string().contains(ALERTS_DIR),
            "an error names its folder: {error}"
        ),
    }
}

/// What a state writes is the same state, and writes the same.
#[allow(
    clippy::expect_used,
    reason = "what was read once is read again, or the target has found a bug"
)]
fn again(state: &[u8]) {
    let read = |bytes: &[u8]| AlertStore::from_checkpoint(bytes, Options::default());
    let written = read(state).expect("it was read before").to_checkpoint();
    let again = read(&written).expect("what is written is read").to_checkpoint();
    assert!(written == again, "a state changes when it is written and read");
}

/// A file of a simulated disk.
#[allow(clippy::expect_used, reason = "a disk in memory takes everything")]
pub(crate) fn write(disk: &dyn Vfs, path: &str, bytes: &[u8]) {
    if let Some((folder, _)) = path.rsplit_once('/') {
        disk.create_dir_all(folder).expect("a folder is created");
    }
    let mut file = disk.create(path).expect("a file is created");
    file.append(bytes).expect("a file is written");
}
