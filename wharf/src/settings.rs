//! Which director to talk to, as whom: flags, then `WHARF_*` variables (which clap reads into the
//! same fields), then the profile. The first that names a value wins, value by value.

use std::path::{Path, PathBuf};

use crate::{
    args::{GlobalArgs, Output},
    failure::Failure,
    profile::{self, Profile},
};

/// Settled settings.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) director: String,
    pub(crate) login: Login,
    pub(crate) ca_file: PathBuf,
    pub(crate) output: Output,
    /// The profile that names the directors; none when something else does.
    pub(crate) profile: Option<String>,
}

/// How one proves who one is.
#[derive(Clone)]
pub(crate) enum Login {
    /// As a user.
    Password { username: String, password: String },
    /// With a token, which knows its user.
    Token(String),
}

/// Settles the settings from the command line and the user's profiles.
pub(crate) fn settle(args: &GlobalArgs) -> Result<Settings, Failure> {
    settle_for(args, profile::DEFAULT)
}

/// The same with another profile where none is named.
pub(crate) fn settle_for(args: &GlobalArgs, default: &str) -> Result<Settings, Failure> {
    let secret = |file: &Option<PathBuf>, variable: &str| match file {
        Some(path) => read_secret(path).map(Some),
        None => Ok(std::env::var(variable).ok().filter(|text| !text.is_empty())),
    };
    let token = secret(&args.token_file, "WHARF_TOKEN")?;
    let password = secret(&args.password_file, "WHARF_PASSWORD")?;
    let name = args.profile.as_deref().unwrap_or(default);
    let stored = match profile::folder() {
        Some(folder) => profile::read(&folder, name)?,
        None => None,
    };
    if stored.is_none() && args.profile.is_some() {
        return Err(Failure::new(
            "CLI0005",
            format!("there is no profile `{name}`"),
            "run `wharf up`, which writes one, or name another with --profile",
        ));
    }
    let names = args.director.is_none() && stored.is_some();
    let settings = merge(args, token, password, stored)?;
    Ok(Settings {
        profile: names.then(|| name.to_owned()),
        ..settings
    })
}

fn merge(
    args: &GlobalArgs,
    token: Option<String>,
    password: Option<String>,
    stored: Option<Profile>,
) -> Result<Settings, Failure> {
    let missing = |what: &str, flag: &str| {
        Failure::new(
            "CLI0005",
            format!("no {what} is set"),
            format!("run `wharf up`, which writes a profile, or give {flag}"),
        )
    };
    // The stored password belongs to the stored user; it is never sent for another one.
    let same_user = stored.as_ref().is_some_and(|profile| {
        args.username
            .as_ref()
            .is_none_or(|username| *username == profile.username)
    });
    let password = password.or_else(|| {
        stored
            .as_ref()
            .filter(|_| same_user)
            .map(|profile| profile.password.clone())
    });
    let login = match token {
        Some(token) => Login::Token(token),
        None => Login::Password {
            username: args
                .username
                .clone()
                .or_else(|| stored.as_ref().map(|profile| profile.username.clone()))
                .ok_or_else(|| missing("user", "--username"))?,
            password: password.ok_or_else(|| missing("password", "--password-file"))?,
        },
    };
    Ok(Settings {
        director: args
            .director
            .clone()
            .or_else(|| stored.as_ref().map(|profile| profile.director.clone()))
            .ok_or_else(|| missing("director", "--director"))?,
        login,
        ca_file: args
            .ca_file
            .clone()
            .or_else(|| stored.as_ref().map(|profile| profile.ca_file.clone()))
            .ok_or_else(|| missing("CA certificate", "--ca-file"))?,
        output: args.output,
        profile: None,
    })
}

fn read_secret(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            "CLI0005",
            format!("cannot read {}: {error}", path.display()),
            "",
        )
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> GlobalArgs {
        GlobalArgs {
            director: None,
            profile: None,
            username: None,
            password_file: None,
            token_file: None,
            ca_file: None,
            output: Output::Table,
        }
    }

    fn stored() -> Profile {
        Profile {
            director: "127.0.0.1:1".into(),
            username: "admin".into(),
            password: "secret".into(),
            ca_file: "/ca.pem".into(),
            platform: "p".into(),
        }
    }

    #[test]
    fn a_flag_wins_over_the_profile_value_by_value() {
        let args = GlobalArgs {
            director: Some("h:2".into()),
            ..args()
        };
        let settings = merge(&args, None, None, Some(stored())).unwrap();
        assert_eq!(settings.director, "h:2");
        let Login::Password { username, password } = settings.login else {
            panic!("the profile has a password");
        };
        assert_eq!((username.as_str(), password.as_str()), ("admin", "secret"));
    }

    #[test]
    fn a_token_stands_for_its_user_whatever_password_is_known() {
        let token = Some("t".to_owned());
        let settings = merge(&args(), token, Some("p".into()), Some(stored())).unwrap();
        assert!(matches!(settings.login, Login::Token(token) if token == "t"));
    }

    #[test]
    fn the_stored_password_is_not_sent_for_another_user() {
        let args = GlobalArgs {
            username: Some("eve".into()),
            ..args()
        };
        let failure = merge(&args, None, None, Some(stored()))
            .err()
            .expect("no password is known");
        assert_eq!(failure.code, "CLI0005");
    }

    #[test]
    fn without_anything_the_hint_names_the_command_that_helps() {
        let failure = merge(&args(), None, None, None)
            .err()
            .expect("nothing is set");
        assert!(failure.hint.contains("wharf up"), "{failure}");
    }
}
