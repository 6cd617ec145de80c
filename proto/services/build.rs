//! Generates the gRPC clients and servers; the messages are those of `wharf-proto`.

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .parent()
        .ok_or("the package has no parent folder")?
        .to_path_buf();
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("wharf/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ext| ext == "proto"));
    files.sort();
    println!("cargo:rerun-if-changed=../wharf/v1");

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true);
    for file in &files {
        compiler.open_file(file.strip_prefix(&root)?)?;
    }
    tonic_prost_build::configure()
        .extern_path(".wharf.v1", "::wharf_proto::v1")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
