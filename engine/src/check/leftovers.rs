//! Files that are not part of the store: what was cut short, what was set aside, what somebody else has put there.

use std::collections::HashSet;
use std::sync::Arc;

use super::finding::FileFindings;
use super::store::Part;
use crate::backup::SNAPSHOTS;
use crate::manifest::Version;
use crate::quarantine::QUARANTINE;
use crate::segment::SegmentMeta;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// What a data directory holds; a name with `.next` is a file on its way to replace the one without.
const KNOWN: [&str; 11] = [
    "LOCK",
    "MANIFEST",
    "MANIFEST.next",
    "MANIFEST.copy",
    "MANIFEST.copy.next",
    "segments",
    SNAPSHOTS,
    "views",
    "views.next",
    "wal",
    QUARANTINE,
];

/// Looks at what lies about. Without a manifest nobody knows which segments count, and nothing is said of them.
pub(super) fn check(vfs: &Arc<dyn Vfs>, manifest: Option<&Version>, journals: &[&str]) -> Result<Part> {
    let mut part = Part::default();
    let list = |dir: &str| {
        vfs.list(dir)
            .map_err(EngineError::io("list", vfs.root().join(dir)))
    };
    if let Some(version) = manifest {
        let named: HashSet<String> = version.segments.iter().flat_map(SegmentMeta::paths).collect();
        for name in list("segments")? {
            let path = format!("segments/{name}");
            if !named.contains(&path) {
                let mut findings = FileFindings::new(path);
                findings.note(
                    "the manifest does not name it: left over from work that was cut short",
                    "nothing to do: the next start removes it",
                );
                part.take(findings);
            }
        }
    }
    let set_aside = list(QUARANTINE)?;
    if !set_aside.is_empty() {
        let bytes: u64 = set_aside
            .iter()
            .filter_map(|name| vfs.len(&format!("{QUARANTINE}/{name}")).ok())
            .sum();
        let mut findings = FileFindings::new(QUARANTINE);
        let what = format!(
            "{} damaged files of {bytes} bytes were set aside earlier",
            set_aside.len()
        );
        findings.warning(what, "look at them if what they held matters, and delete them");
        part.take(findings);
    }
    for name in list("")? {
        if !KNOWN.contains(&name.as_str()) && !journals.contains(&name.as_str()) {
            let mut findings = FileFindings::new(name);
            findings.note("not a file of the store", "");
            part.take(findings);
        }
    }
    Ok(part)
}
