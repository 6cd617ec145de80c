//! Puts the files of the built admin UI into the binary. Without a build of it there is none in it, and
//! its servers say so: checking Rust code needs no Node.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The page that the UI begins with; a build that was broken off has none.
const PAGE: &str = "index.html";

fn main() -> Result<(), Box<dyn Error>> {
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../dist");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Cargo runs this script each time when what it watches is missing, and everything above would be
    // compiled again. Where sources cannot be written, that is how it is.
    drop(fs::create_dir_all(&dist));
    println!("cargo:rerun-if-changed=../dist");
    // Copies: the compiler reads them later, when another build of the UI may have replaced them.
    let copies = out.join("admin_ui");
    if copies.exists() {
        fs::remove_dir_all(&copies)?;
    }
    let files = match copied(&dist, &copies) {
        Ok(files) if files.contains(&copies.join(PAGE)) => files,
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("cargo:warning=the admin UI is being built: this binary has none");
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let mut list = String::from("[\n");
    for file in files.iter().filter(|file| !is_packed(file)) {
        let beside = |ending: &str| -> Result<String, Box<dyn Error>> {
            let packed = PathBuf::from(format!("{}.{ending}", text(file)?));
            Ok(if files.contains(&packed) {
                format!("Some(include_bytes!({:?}))", text(&packed)?)
            } else {
                "None".to_owned()
            })
        };
        writeln!(
            list,
            "Shipped {{ path: {:?}, plain: include_bytes!({:?}), brotli: {}, gzip: {} }},",
            format!("/{}", text(file.strip_prefix(&copies)?)?),
            text(file)?,
            beside("br")?,
            beside("gz")?,
        )?;
    }
    list.push_str("]\n");
    fs::write(out.join("admin_ui.rs"), list)?;
    Ok(())
}

fn text(path: &Path) -> Result<&str, &'static str> {
    path.to_str().ok_or("a path that is no text")
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending))
}

/// Whether it is a compressed form of the file beside it.
fn is_packed(path: &Path) -> bool {
    has_ending(path, &["br", "gz"])
}

/// Copies every file below a folder, in order, but maps of sources, which browsers ask for only while
/// somebody debugs.
fn copied(from: &Path, to: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(to)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            files.extend(copied(&path, &copy)?);
        } else if !has_ending(&path, &["map"]) {
            fs::copy(&path, &copy)?;
            files.push(copy);
        }
    }
    files.sort();
    Ok(files)
}
