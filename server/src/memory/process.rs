//! What the operating system says that the process holds.

/// Resident memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessMemory {
    /// Memory of the process alone: what it has allocated.
    pub anonymous_bytes: usize,
    /// Pages of mapped files, segments above all. They are the page cache's, and the system takes them back when it
    /// needs them.
    pub file_bytes: usize,
    /// The most that both together have been.
    pub peak_bytes: usize,
}

impl ProcessMemory {
    /// Asks the system; `None` where it does not say.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    /// `RssAnon: 12345 kB` and its like, in proc(5).
    fn parse(status: &str) -> Option<Self> {
        let bytes = |key: &str| -> Option<usize> {
            let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
            let kib: usize = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kib.checked_mul(1024)
        };
        Some(Self {
            anonymous_bytes: bytes("RssAnon:")?,
            file_bytes: bytes("RssFile:")?,
            peak_bytes: bytes("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let status =
            "Name:\tx\nVmHWM:\t    300 kB\nVmRSS:\t 250 kB\nRssAnon:\t     100 kB\nRssFile:\t     150 kB\n";
        let memory = ProcessMemory::parse(status).unwrap();
        let of = |kib: usize| kib * 1024;
        assert_eq!(
            (memory.anonymous_bytes, memory.file_bytes, memory.peak_bytes),
            (of(100), of(150), of(300))
        );
        assert_eq!(ProcessMemory::parse("Name:\tx\n"), None);
        assert_eq!(ProcessMemory::parse("RssAnon: lots\n"), None);
    }
}
