//! What holds for every command that can be typed, walked over the whole tree of commands.

use clap::CommandFactory;

use super::Cli;

/// Every command that a person sees, by its full name.
fn visible(command: &clap::Command, prefix: &str, found: &mut Vec<(String, clap::Command)>) {
    for sub in command.get_subcommands() {
        if sub.is_hide_set() || sub.get_name() == "help" {
            continue;
        }
        let name = format!("{prefix} {}", sub.get_name());
        visible(sub, &name, found);
        found.push((name, sub.clone()));
    }
}

fn commands() -> Vec<(String, clap::Command)> {
    let root = Cli::command();
    let mut found = vec![("wharf".to_owned(), root.clone())];
    visible(&root, "wharf", &mut found);
    assert!(found.len() > 20, "only {} commands were found", found.len());
    found
}

/// What is wrong with the help of a command.
fn faults(name: &str, command: &clap::Command) -> Vec<String> {
    let mut faults = Vec::new();
    if command.get_about().is_none() {
        faults.push(format!("`{name}` has no description"));
    }
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let example = help
        .split("Example")
        .nth(1)
        .is_some_and(|examples| examples.contains(&format!("  {name}")));
    if !example {
        faults.push(format!("`{name}` has no example that begins with `{name}`"));
    }
    for argument in command.get_arguments() {
        let id = argument.get_id();
        if argument.get_help().is_none() && !argument.is_hide_set() {
            faults.push(format!("`{name}`: `{id}` has no description"));
        }
    }
    faults
}

#[test]
fn every_command_and_every_argument_has_a_description_and_every_command_an_example() {
    let faults: Vec<String> = commands()
        .iter()
        .flat_map(|(name, command)| faults(name, command))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let planted = clap::Command::new("bare").arg(clap::Arg::new("x"));
    assert_eq!(
        super::tests::faults("wharf bare", &planted).len(),
        3,
        "a bare command is seen"
    );
}

/// Each line of help that shows how to type one of our commands.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    help.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("wharf "))
        .map(ToOwned::to_owned)
        .collect()
}

/// Splits an example as a shell would; what follows a pipe or a redirection is the shell's.
fn words(example: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in example.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '<' | '>') => break,
            (None, ' ') => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_example_can_be_typed() {
    for (name, command) in commands() {
        for example in examples(&command) {
            let parsed = Cli::command().try_get_matches_from(words(&example));
            assert!(
                parsed.is_ok(),
                "the example `{example}` of `{name}` is refused: {}",
                parsed.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }
}

#[test]
fn every_watch_that_an_example_names_is_shipped_or_of_ones_own() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/watches");
    let known = |name: &str| {
        name.starts_with("checkout-slow") || shipped.join(format!("{name}.yaml")).is_file()
    };
    let mut seen = 0;
    for (_, command) in commands() {
        for example in examples(&command) {
            let typed = words(&example);
            let [_, "watch", verb, name, ..] =
                typed.iter().map(String::as_str).collect::<Vec<_>>()[..]
            else {
                continue;
            };
            if verb == "list" || name.starts_with('-') {
                continue;
            }
            assert!(known(name), "`{example}` names a watch that nobody has");
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} examples name a watch");
    assert!(!known("host-memry"), "a name that is not there is seen");
}

#[test]
fn no_secret_can_be_given_as_an_argument() {
    for (name, command) in commands() {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let secret = ["password", "secret", "token"]
                .iter()
                .any(|word| id.contains(word));
            let is_file = id.ends_with("_file");
            let takes_value = argument.get_action().takes_values();
            // A token or a user is named by id to revoke or change it.
            let names_it = id.ends_with("_id");
            assert!(
                !secret || is_file || names_it || !takes_value,
                "`{name}` takes `{id}` on the command line, which others can read"
            );
        }
    }
}

#[test]
fn the_guide_names_every_command() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/cli.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let table = guide.split("## Commands").nth(1).unwrap();
    let table = table.split("## ").next().unwrap();
    for (name, command) in commands() {
        let words: Vec<&str> = name.split(' ').skip(1).collect();
        let row = table.lines().find(|line| {
            words.iter().all(|word| {
                line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                    .any(|found| found == *word)
            })
        });
        assert!(
            row.is_some() || command.has_subcommands(),
            "no row of the guide's commands has `{name}`"
        );
    }
}
