//! `wharf completion` and `wharf man`: what shells and `man` read, made from the same description as
//! the help.

use clap::CommandFactory;

use crate::{
    args::{Cli, CompletionArgs, ManArgs, Shell},
    failure::Failure,
    print,
};

/// Prints the completion of a shell.
pub(crate) fn completion(args: &CompletionArgs) -> u8 {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wharf", &mut text);
    print::out(&String::from_utf8_lossy(&text));
    0
}

/// Writes a page for each command.
pub(crate) fn man(args: &ManArgs) -> Result<u8, Failure> {
    let pages = pages().map_err(|error| Failure::new("CLI0002", error.to_string(), ""))?;
    let unwritable = |path: &std::path::Path, error: &std::io::Error| {
        Failure::new(
            "CLI0030",
            format!("cannot write {}: {error}", path.display()),
            "give a folder that can be written",
        )
    };
    std::fs::create_dir_all(&args.folder).map_err(|error| unwritable(&args.folder, &error))?;
    for (name, page) in &pages {
        let path = args.folder.join(name);
        std::fs::write(&path, page).map_err(|error| unwritable(&path, &error))?;
    }
    print::remark(&format!(
        "{} pages in {}",
        pages.len(),
        args.folder.display()
    ));
    Ok(0)
}

/// File name and text of each page.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    // Settings that every command takes are on its page too only after they were handed down.
    let mut root = Cli::command();
    root.build();
    let mut pages = Vec::new();
    let mut open = vec![("wharf".to_owned(), root)];
    while let Some((name, command)) = open.pop() {
        for sub in command.get_subcommands() {
            if !sub.is_hide_set() && sub.get_name() != "help" {
                open.push((format!("{name}-{}", sub.get_name()), sub.clone()));
            }
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        pages.push((format!("{name}.1"), page));
    }
    pages.sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_example() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let found = pages.iter().find(|(file, _)| file == name);
            let (_, text) = found.unwrap_or_else(|| panic!("there is no page {name}"));
            String::from_utf8(text.clone()).unwrap()
        };
        assert!(page("wharf.1").contains("deployment"));
        let create = page("wharf-deployment-create.1");
        assert!(
            create.contains("Example"),
            "the page has no example: {create}"
        );
        assert!(
            !pages.iter().any(|(name, _)| name.starts_with("wharf-run")),
            "what nobody types has no page"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let failure = man(&ManArgs {
            folder: file.join("man"),
        })
        .unwrap_err();
        assert_eq!(failure.code, "CLI0030");
        assert!(failure.message.contains("file/man"), "{failure}");
    }
}
