//! `wharf authority` against a real director: what is shown, fetched, refused, and that the CA file of a
//! client follows a change that it began.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::Lab;
use platform::Files;
use wharf_runtime::tls::CaCerts;

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_shown_fetched_changed_and_the_ca_file_follows() {
    let lab = Lab::director_on(Files::new()).await;
    let old = lab.files.authority.fingerprint_hex();
    let json = |arguments: &'static [&'static str]| [arguments, &["-o", "json"]].concat();
    let shown = lab.run(&json(&["authority", "show"])).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert_eq!(
        (&shown.json()["phase"], &shown.json()["issuing"]),
        (&"rest".into(), &old.clone().into())
    );
    let nothing = lab.run(&["authority", "cancel"]).await;
    assert_ne!(nothing.code, 0);
    assert!(nothing.stderr.contains("DIR0078"), "{}", nothing.stderr);

    // Clients are given a day: the change stays in its first phase, and can be taken back.
    let begun = lab.run(&json(&["authority", "rotate"])).await;
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    assert_eq!(begun.json()["phase"], "trust");
    let file = lab.files.dir.path().join("fetched.pem");
    let to = file.display().to_string();
    let fetched = lab.run(&["authority", "fetch", "--to", &to]).await;
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    assert_eq!(
        CaCerts::load(&file).unwrap().certs().len(),
        2,
        "both are trusted"
    );
    let twice = lab.run(&["authority", "rotate"]).await;
    assert!(twice.stderr.contains("DIR0078"), "{}", twice.stderr);
    let back = lab.run(&json(&["authority", "cancel"])).await;
    assert_eq!(back.json()["cancelled"], true, "{}", back.stderr);

    // Nobody but the director is there: it ends by itself, and the file of this client with it.
    let ended = || async {
        let now = lab.run(&json(&["authority", "show"])).await;
        (now.json()["phase"] == "rest").then_some(())
    };
    platform::eventually("it was taken back", ended).await;
    let done = lab
        .run(&json(&[
            "authority",
            "rotate",
            "--trust-for",
            "0s",
            "--follow",
        ]))
        .await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let new = done.json()["issuing"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let again = lab.run(&json(&["authority", "show"])).await;
    assert_eq!(
        again.code, 0,
        "the CA file did not follow: {}",
        again.stderr
    );
    assert_eq!(again.json()["issuing"], new.as_str());
}
