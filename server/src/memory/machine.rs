//! How much memory the program may count on: the machine's, or its container's where that is less.

use std::path::{Path, PathBuf};

/// What is assumed where the system does not say.
const UNKNOWN_BYTES: u64 = 2 << 30;

/// Half of what there is, in bytes: of the machine's memory, or of the limit of the control group that this process is
/// in (version 2 or 1), or of one around it, where that is less.
#[must_use]
pub fn half_of_the_machine() -> u64 {
    memory_bytes(Path::new("/")).unwrap_or(UNKNOWN_BYTES) / 2
}

fn memory_bytes(root: &Path) -> Option<u64> {
    let machine = read(&root.join("proc/meminfo")).and_then(|text| total_of_meminfo(&text));
    let group = read(&root.join("proc/self/cgroup")).and_then(|text| group_limit(root, &text));
    machine.into_iter().chain(group).min()
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// `MemTotal:       24683564 kB`
fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least limit on the way from the process's group to the root. A line of the file is
/// `hierarchy:controllers:/path`; version 2 has one with number 0 and no controllers.
fn group_limit(root: &Path, text: &str) -> Option<u64> {
    let limits = text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if number == "0" && controllers.is_empty() {
            limit_upwards(&root.join("sys/fs/cgroup"), path, "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            limit_upwards(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
        } else {
            None
        }
    });
    limits.min()
}

/// In a container the path may be the host's and not be there; then the mount's own root is the container's group.
fn limit_upwards(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let mut folder: PathBuf = mount.join(path.trim_start_matches('/'));
    let mut least: Option<u64> = None;
    loop {
        // "max" is no number, and no limit.
        let limit = read(&folder.join(file)).and_then(|text| text.trim().parse().ok());
        least = least.into_iter().chain(limit).min();
        if folder == mount || !folder.pop() || !folder.starts_with(mount) {
            return least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        memory_bytes(root.path())
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       24683564 kB\nMemFree:  1 kB\n");
    const ALL: u64 = 24_683_564 * 1024;

    #[test]
    fn the_machine_where_nothing_limits() {
        assert_eq!(machine(&[]), None);
        assert_eq!(machine(&[MEMINFO]), Some(ALL));
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "0::/user.slice/a.service\n"),
            ("sys/fs/cgroup/user.slice/a.service/memory.max", "max\n"),
        ];
        assert_eq!(machine(&unlimited), Some(ALL));
    }

    #[test]
    fn the_least_limit_of_version_2_on_the_way_up() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/pods/pod1/c1\n"),
            ("sys/fs/cgroup/pods/pod1/c1/memory.max", "max\n"),
            ("sys/fs/cgroup/pods/pod1/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/pods/memory.max", "8589934592\n"),
        ];
        assert_eq!(machine(&files), Some(1 << 30));
        let container = [
            MEMINFO,
            ("proc/self/cgroup", "0::/../../seen/from/outside\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
        ];
        assert_eq!(machine(&container), Some(512 << 20));
    }

    #[test]
    fn the_limit_of_version_1() {
        let files = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            (
                "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
                "2147483648\n",
            ),
        ];
        assert_eq!(machine(&files), Some(2 << 30));
    }
}
