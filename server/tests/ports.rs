//! Ports for the programs that tests start.

use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range out of which Linux takes the ports of outgoing connections and of `bind` to port 0, by default.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// The ports of this process, each locked for as long as it runs.
static LOCKS: Mutex<Vec<File>> = Mutex::new(Vec::new());
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is free, and that no other test takes while this process runs: tests run as processes beside each other,
/// and a program that is restarted needs its port again.
pub fn free_port() -> u16 {
    let folder = std::env::temp_dir().join("barograph-test-ports");
    std::fs::create_dir_all(&folder).unwrap();
    // Processes that start after one another begin their search at different places.
    let start = (std::process::id().wrapping_mul(37) % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start + step % COUNT) % COUNT;
        let lock = File::create(folder.join(port.to_string())).unwrap();
        let is_ours = lock.try_lock().is_ok();
        if is_ours && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            LOCKS.lock().unwrap().push(lock);
            return port;
        }
    }
    panic!("none of the ports {FIRST} to {} is free", FIRST + COUNT - 1);
}
