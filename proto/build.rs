//! Compiles the contracts into prost messages and keeps the descriptor set, from
//! which access rules and reflection are read.

use std::{env, fs, path::PathBuf};

/// Folders of the contracts, one per package.
const PACKAGES: [&str; 2] = ["wharf/v1", "wharf/monitor/v1"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut files = Vec::new();
    for package in PACKAGES {
        println!("cargo:rerun-if-changed={package}");
        for entry in fs::read_dir(root.join(package))? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|ext| ext == "proto"));
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true);
    for file in &files {
        compiler.open_file(file.strip_prefix(&root)?)?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // The encoded set keeps the method options that prost's own types would drop.
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    prost_build::Config::new()
        .enable_type_names()
        .bytes(["wharf.v1.RaftMessage.message"])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
