//! Rust from the `.proto` files, by protox and tonic-prost-build: no `protoc` on the machine.
//!
//! The result is committed (`proto/src/generated/`), so an ordinary build does none of this, and
//! `cargo xtask tidy` compares it with what the `.proto` files give today.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// The files a client may import, relative to `proto/`.
const PROTO_FILES: [&str; 2] = ["barograph/v1/alerts.proto", "prometheus/remote_write.proto"];

/// Where the committed code lies.
pub(crate) fn generated_folder() -> PathBuf {
    workspace::root().join("proto/src/generated")
}

/// `cargo xtask codegen`: replaces the committed code.
pub(crate) fn run() -> Result<()> {
    let folder = generated_folder();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    generate(&folder)?;
    for file in workspace::files(&folder, "rs")? {
        println!("wrote {}", workspace::shown(&file));
    }
    Ok(())
}

/// Writes the code for all `.proto` files into a folder, one file a package.
pub(crate) fn generate(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let protos = workspace::root().join("proto");
    let descriptors = protox::compile(PROTO_FILES, [&protos])
        .with_context(|| format!("cannot compile the .proto files in {}", protos.display()))?;
    tonic_prost_build::configure()
        // Sorted maps make messages comparable and their JSON stable.
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .out_dir(folder)
        .compile_fds(descriptors)
        .with_context(|| format!("cannot write generated code to {}", folder.display()))
}
