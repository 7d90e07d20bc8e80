//! A file system in a file, of which the writes that nobody synced can be dropped.
//!
//! The file is the device of an ext4 file system, mounted through a loop device. What programs write stays in the
//! memory of that file system until they sync it, or until the kernel writes it on its own: file contents half a
//! minute after they were written, names and lengths here only after ten minutes (`commit=600`). A copy of the file,
//! made after the program was killed, is thus the disk that a power cut at that moment would have left behind, on a
//! device that keeps what it was given. It takes root, `mkfs.ext4`, `mount` and loop devices.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Set for a bench that has a mount namespace of its own.
const OWN_NAMESPACE: &str = "BAROGRAPH_BENCH_OWN_MOUNTS";

/// Length of the file, of which only what is written takes room.
const IMAGE_BYTES: u64 = 32 << 30;

/// A mounted image; unmounted and removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Image {
    file: PathBuf,
    mounted: PathBuf,
}

impl Image {
    /// A new file system in a folder.
    ///
    /// # Errors
    /// When this machine or this user cannot do that, with the reason.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let file = folder.join("image");
        File::create(&file)
            .and_then(|image| image.set_len(IMAGE_BYTES))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new("mkfs.ext4");
        // Without a lazy initialisation, which would write in the background.
        command.args([
            "-q",
            "-F",
            "-E",
            "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
        ]);
        run(command.arg(&file))?;
        Self::mount(file, folder.join("mounted"))
    }

    /// The folder of its contents.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.mounted
    }

    /// A second file system: what of the first had reached its device.
    ///
    /// # Errors
    /// As [`Image::create`].
    pub(crate) fn after_power_cut(&self) -> Result<Self> {
        let file = self.file.with_extension("after");
        run(Command::new("cp")
            .arg("--sparse=always")
            .args([&self.file, &file]))?;
        Self::mount(file, self.mounted.with_extension("after"))
    }

    fn mount(file: PathBuf, mounted: PathBuf) -> Result<Self> {
        std::fs::create_dir(&mounted).with_context(|| format!("cannot make {}", mounted.display()))?;
        let mut command = Command::new("mount");
        command.args(["-t", "ext4", "-o", "loop,commit=600,noinit_itable"]);
        run(command.args([&file, &mounted]))?;
        Ok(Self { file, mounted })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // The folder around it is temporary; what cannot be unmounted is left to whoever reads the message.
        if let Err(error) = run(Command::new("umount").arg(&self.mounted)) {
            eprint_left_behind(&self.mounted, &error);
        }
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Starts this program again where its mounts are seen by itself and its children alone, and end with them however they
/// end. Returns where that is done already, or cannot be.
pub fn with_own_mounts() {
    if std::env::var_os(OWN_NAMESPACE).is_some() || run(unshare().arg("true")).is_err() {
        return;
    }
    let Ok(bench) = std::env::current_exe() else {
        return;
    };
    let arguments = std::env::args_os().skip(1);
    // It only returns when it fails, and then the mounts are made where everybody sees them.
    let _ = unshare()
        .arg(bench)
        .args(arguments)
        .env(OWN_NAMESPACE, "1")
        .exec();
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command
}

#[allow(clippy::print_stderr, reason = "a bench talks to a terminal")]
fn eprint_left_behind(mounted: &Path, error: &anyhow::Error) {
    eprintln!("{} stays mounted: {error:#}", mounted.display());
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
