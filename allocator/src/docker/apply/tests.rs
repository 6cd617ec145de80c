//! What a container is asked to be, and what an engine's refusals are called.

use super::*;
use wharf_runtime::platform_file::Ports;
use wharf_test_ports::TestPort;

pub(crate) fn platform() -> PlatformFile {
    PlatformFile {
        platform_id: "f".repeat(32),
        name: "test".into(),
        domain: "localhost".into(),
        advertised_address: "127.0.0.1".into(),
        bind_address: "127.0.0.1".into(),
        zone: "zone-1".into(),
        host: "h".into(),
        ports: Ports::default(),
        directors: vec![],
    }
}

#[tokio::test]
async fn an_image_that_somebody_removed_is_named_so() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = wharf_runtime::task::spawn("engine without images", async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 2048];
            let read = stream.read(&mut request).await.unwrap();
            let (status, body) = if request[..read].starts_with(b"GET /version") {
                ("200 OK", r#"{"Version":"20.10.0","ApiVersion":"1.41"}"#)
            } else {
                ("404 Not Found", r#"{"message":"No such image: sha256:1"}"#)
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let engine = Engine::connect(&format!("unix://{}", path.display()))
        .await
        .unwrap();
    let (platform, assigned) = (platform(), v1::AssignedInstance::default());
    let of = InstanceContainer {
        platform: &platform,
        directory: dir.path(),
        assigned: &assigned,
        generation: 1,
        image_id: "sha256:1",
        limits: Limits {
            memory_bytes: 1 << 30,
            nano_cpus: 1,
            pids: 1,
            open_files: 1,
        },
        cpu_quota: true,
        pids_limit: true,
    };
    let error = create_instance(&engine, &of).await.unwrap_err();
    assert_eq!(error.code(), "ALL0020", "{error}");
    assert!(error.to_string().contains("sha256:1"), "{error}");
    serving.abort();
}

#[test]
fn an_instance_is_confined_limited_and_published_on_one_address() {
    let platform = platform();
    let assigned = v1::AssignedInstance {
        instance_id: "1".repeat(32),
        instance_name: "storage-0".into(),
        port: 18000,
        secrets: Some(v1::InstanceSecrets {
            identity_pem: "SECRET".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let body = instance_body(&InstanceContainer {
        platform: &platform,
        directory: Path::new("/d/instances/1"),
        assigned: &assigned,
        generation: 4,
        image_id: "sha256:1",
        limits: Limits {
            memory_bytes: 1 << 30,
            nano_cpus: 5,
            pids: 6,
            open_files: 7,
        },
        cpu_quota: true,
        pids_limit: true,
    });
    let text = serde_json::to_string(&body).unwrap();
    assert!(!text.contains("SECRET"), "a secret in the request: {text}");
    assert_eq!(body.env, None);
    let host = body.host_config.unwrap();
    assert_eq!(
        (host.memory, host.memory_swap),
        (Some(1 << 30), Some(1 << 30))
    );
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(
        host.restart_policy.unwrap().name,
        Some(RestartPolicyNameEnum::NO)
    );
    let bindings = &host.port_bindings.unwrap()["9200/tcp"];
    assert_eq!(
        bindings.as_ref().unwrap()[0].host_ip.as_deref(),
        Some("127.0.0.1")
    );
}

#[test]
fn the_folder_for_snapshots_is_mounted_when_one_is_named_and_missed_by_its_own_code() {
    let platform = platform();
    let of = |assigned: &v1::AssignedInstance| {
        let body = instance_body(&InstanceContainer {
            platform: &platform,
            directory: Path::new("/d/instances/1"),
            assigned,
            generation: 4,
            image_id: "sha256:1",
            limits: Limits {
                memory_bytes: 1 << 28,
                nano_cpus: 5,
                pids: 6,
                open_files: 7,
            },
            cpu_quota: true,
            pids_limit: true,
        });
        body.host_config.unwrap().mounts.unwrap()
    };
    let mut assigned = v1::AssignedInstance::default();
    assert_eq!(of(&assigned).len(), 2);
    assigned.repository_path = "/mnt/backups".into();
    let mounts = of(&assigned);
    let mount = mounts.last().unwrap();
    assert_eq!(mount.source.as_deref(), Some("/mnt/backups"));
    assert_eq!(mount.target.as_deref(), Some("/repository"));
    // Not a bind of the other form, which the engine would make a folder for.
    assert_eq!(mount.typ, Some(MountType::BIND));
    let refused = |message: &str| EngineError::Refused {
        doing: "create a container",
        status: 400,
        message: message.into(),
    };
    let lacks = |message: &str| lacks_repository(&refused(message), &assigned);
    assert!(lacks(
        "invalid mount config for type \"bind\": bind source path does not exist: /mnt/backups"
    ));
    assert!(!lacks(
        "invalid mount config for type \"bind\": bind source path does not exist: /d/instances/1/data"
    ));
    assert!(!lacks("no space left on device: /mnt/backups"));
    // Another one below it, of another mount.
    assert!(!lacks("bind source path does not exist: /mnt/backups/data"));
}

#[test]
fn a_folder_for_snapshots_by_which_an_instance_would_reach_the_platforms_own_is_refused() {
    let own = Path::new("/srv/wharf/lab");
    for path in ["", "/mnt/backups", "/srv/wharf/lab2", "/srv/wharf/la"] {
        assert!(find_repository_apart(path, own).is_ok(), "{path}");
    }
    for path in ["/srv", "/srv/wharf/lab", "/srv/wharf/lab/allocator"] {
        let refused = find_repository_apart(path, own).unwrap_err();
        assert_eq!(refused.code(), "ALL0027", "{path}");
    }
}

#[test]
fn a_monitoring_node_is_confined_and_listens_on_its_port_of_the_hosts_network() {
    let mut platform = platform();
    let assigned = v1::AssignedInstance {
        engine: "monitor".into(),
        port: 18001,
        ..Default::default()
    };
    for (address, listen) in [
        ("127.0.0.1", "127.0.0.1:18001"),
        ("fd00::1", "[fd00::1]:18001"),
    ] {
        platform.advertised_address = address.into();
        let body = instance_body(&InstanceContainer {
            platform: &platform,
            directory: Path::new("/d/instances/1"),
            assigned: &assigned,
            generation: 4,
            image_id: "sha256:1",
            limits: Limits {
                memory_bytes: 1 << 28,
                nano_cpus: 5,
                pids: 6,
                open_files: 7,
            },
            cpu_quota: true,
            pids_limit: true,
        });
        let command = body.cmd.unwrap();
        assert_eq!(command[..2], ["run", "monitor"]);
        let flag = command.iter().position(|word| word == "--listen").unwrap();
        assert_eq!(command[flag + 1], listen);
        assert_eq!(
            body.hostname, None,
            "the engine refuses it on the host's network"
        );
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("host"));
        assert_eq!(host.port_bindings, None);
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.memory, Some(1 << 28));
    }
}

#[test]
fn a_taken_port_is_told_from_other_failures() {
    let taken = "driver failed programming external connectivity: Bind for 127.0.0.1:18000 failed: port is already allocated";
    assert_eq!(start_error(taken, "127.0.0.1", 18000).code(), "ALL0012");
    let address = "listen tcp4 10.9.9.9:18000: bind: cannot assign requested address";
    assert_eq!(start_error(address, "10.9.9.9", 18000).code(), "ALL0017");
    assert_eq!(start_error("exec: no such file", "a", 1).code(), "ALL0011");
}

#[tokio::test]
async fn a_port_that_an_instance_in_the_hosts_network_would_not_get_is_told_as_taken() {
    let reserved = TestPort::reserve();
    let held = net::bind(reserved.addr()).await.unwrap();
    let port = u32::from(reserved.port());
    let told = find_port_free("127.0.0.1", port).await.unwrap_err();
    assert_eq!(told.code(), "ALL0012");
    assert!(told.to_string().contains(&port.to_string()), "{told}");
    drop(held);
    assert!(find_port_free("127.0.0.1", port).await.is_ok());
    // Of the range for documentation: no host has it.
    let told = find_port_free("192.0.2.1", port).await.unwrap_err();
    assert_eq!(told.code(), "ALL0017");
}
