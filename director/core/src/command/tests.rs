//! The codec of commands.

use super::*;

fn note() -> Command {
    let body = NoteAudit {
        action: "read_credentials".into(),
        subject: "deployment/x".into(),
        detail: String::new(),
        place: None,
    };
    Command::new(7, "admin", None, Body::NoteAudit(body))
}

#[test]
fn a_command_reads_back_as_itself() {
    let command = note();
    assert_eq!(
        Command::decode(&command.encode().unwrap()).unwrap(),
        command
    );
}

#[test]
fn a_command_that_this_version_does_not_know_is_an_error() {
    let text = r#"{"version":1,"at_ms":1,"actor":"a","body":{"launch_rocket":{}}}"#;
    assert!(matches!(
        Command::decode(text.as_bytes()),
        Err(CommandError::Unknown(_))
    ));
}

#[test]
fn a_command_with_a_field_that_this_version_does_not_know_is_an_error() {
    let text = r#"{"version":1,"at_ms":1,"actor":"a","body":{"note_audit":{"action":"a","subject":"b","extra":1}}}"#;
    assert!(matches!(
        Command::decode(text.as_bytes()),
        Err(CommandError::Unknown(_))
    ));
}

#[test]
fn a_command_of_a_newer_version_says_so() {
    let text = r#"{"version":9,"at_ms":1,"actor":"a","body":{"x":{}},"new":1}"#;
    assert!(matches!(
        Command::decode(text.as_bytes()),
        Err(CommandError::Version(9))
    ));
}

#[test]
fn a_log_reads_who_became_unwell_as_it_was_written_before_and_since_many_go_together() {
    let one =
        r#"{"subject_kind":"allocator","subject":"a","code":"DIR0101","message":"it is silent"}"#;
    let read = |body: &str| {
        let text = format!(r#"{{"version":1,"at_ms":1,"actor":"system","body":{body}}}"#);
        let read = Command::decode(text.as_bytes()).unwrap();
        assert_eq!(
            read.encode().unwrap(),
            text.as_bytes(),
            "it is written so, too"
        );
        read.body
    };
    let expected = ReportHealthTransition {
        subject_kind: "allocator".into(),
        subject: "a".into(),
        code: "DIR0101".into(),
        message: "it is silent".into(),
    };
    assert_eq!(
        read(&format!(r#"{{"report_health_transition":{one}}}"#)),
        Body::ReportHealthTransition(expected.clone())
    );
    let many = format!(r#"{{"report_health_transitions":{{"transitions":[{one},{one}]}}}}"#);
    let transitions = vec![expected.clone(), expected];
    assert_eq!(
        read(&many),
        Body::ReportHealthTransitions(ReportHealthTransitions { transitions })
    );
}

#[test]
fn a_giant_command_is_refused_on_both_ways() {
    let mut command = note();
    command.actor = "a".repeat(COMMAND_BYTES);
    assert!(matches!(command.encode(), Err(CommandError::TooLarge(_))));
    assert!(matches!(
        Command::decode(&vec![b' '; COMMAND_BYTES + 1]),
        Err(CommandError::TooLarge(_))
    ));
}
