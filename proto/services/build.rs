//! Generates the gRPC clients and servers; the messages are those of `wharf-proto`.

use std::{env, fs, path::PathBuf};

/// Folders of the contracts, one per package.
const PACKAGES: [&str; 2] = ["wharf/v1", "wharf/monitor/v1"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .parent()
        .ok_or("the package has no parent folder")?
        .to_path_buf();
    let mut files = Vec::new();
    for package in PACKAGES {
        println!("cargo:rerun-if-changed=../{package}");
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
    tonic_prost_build::configure()
        .extern_path(".wharf.v1", "::wharf_proto::v1")
        .extern_path(".wharf.monitor.v1", "::wharf_proto::monitor::v1")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
