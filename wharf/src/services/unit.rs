//! The text of a unit: how systemd runs the director or the proxy of a host without an engine. Pure.
//!
//! Invariants: no secret and no setting of a deployment is in it; the process has no capability unless a
//! port below 1024 needs the one for it, sees the system read-only and writes into its own folder alone;
//! it is restarted for as long as its role is the host's. Not here: writing and starting it (`keep`).

use wharf_allocator::host::RoleLimits;

use super::{Place, Service, systemd::Version};
use crate::roles::EXIT_REMOVED;

/// From this version on systemd itself lets the waits between restarts grow.
const GROWING_WAITS: Version = Version(254);
/// Ports below this need a capability.
const FIRST_FREE_PORT: u16 = 1024;

/// What a unit is made from.
#[derive(Debug, Clone)]
pub(super) struct Spec<'a> {
    pub(super) place: &'a Place,
    pub(super) service: Service,
    /// Of the systemd that reads it.
    pub(super) version: Version,
    pub(super) limits: RoleLimits,
    /// What it listens on.
    pub(super) ports: &'a [u16],
}

/// The unit.
pub(super) fn render(spec: &Spec<'_>) -> String {
    let Spec {
        place,
        service,
        limits,
        ..
    } = spec;
    let role = service.as_str();
    let folder = place.folder(*service).display().to_string();
    let name = &place.name;
    let mut lines = vec![
        "# Written by `wharf install`, which writes it anew; `wharf uninstall` removes it."
            .to_owned(),
        "[Unit]".to_owned(),
        format!("Description=The {role} of the platform {name}"),
        "Wants=network-online.target".to_owned(),
        "After=network-online.target".to_owned(),
        // A director that was removed from the platform has taken this file away.
        format!("ConditionPathExists={folder}/{}", own_file(*service)),
        "StartLimitIntervalSec=0".to_owned(),
        String::new(),
        "[Service]".to_owned(),
        "Type=notify".to_owned(),
        "NotifyAccess=main".to_owned(),
        format!(
            "ExecStart={} run {role} --data-dir {folder}",
            place.binary().display()
        ),
        // A director serves once the others admitted it, however long they are away.
        "TimeoutStartSec=infinity".to_owned(),
        "TimeoutStopSec=30".to_owned(),
        "Restart=always".to_owned(),
        "RestartSec=1".to_owned(),
    ];
    if spec.version >= GROWING_WAITS {
        lines.push("RestartSteps=6".to_owned());
        lines.push("RestartMaxDelaySec=30".to_owned());
    }
    lines.push(format!("RestartPreventExitStatus={EXIT_REMOVED}"));
    lines.push(format!("SuccessExitStatus={EXIT_REMOVED}"));
    if limits.memory_bytes > 0 {
        lines.push(format!("MemoryMax={}", limits.memory_bytes));
        lines.push("MemorySwapMax=0".to_owned());
    }
    if limits.pids > 0 {
        lines.push(format!("TasksMax={}", limits.pids));
    }
    let below = folder.strip_prefix("/var/lib/").unwrap_or(&folder);
    lines.extend(
        [
            "LimitNOFILE=65536",
            "LimitCORE=0",
            "LogRateLimitIntervalSec=30s",
            "LogRateLimitBurst=10000",
            "DynamicUser=yes",
        ]
        .map(str::to_owned),
    );
    lines.push(format!("StateDirectory={below}"));
    lines.extend(["StateDirectoryMode=0700", "UMask=0077"].map(str::to_owned));
    if spec.ports.iter().any(|port| *port < FIRST_FREE_PORT) {
        lines.push("CapabilityBoundingSet=CAP_NET_BIND_SERVICE".to_owned());
        lines.push("AmbientCapabilities=CAP_NET_BIND_SERVICE".to_owned());
    } else {
        lines.push("CapabilityBoundingSet=".to_owned());
    }
    lines.extend(CONFINED.map(str::to_owned));
    lines.extend(["", "[Install]", "WantedBy=multi-user.target"].map(str::to_owned));
    lines.join("\n") + "\n"
}

/// The file of a service without which it is not the host's.
pub(super) const fn own_file(service: Service) -> &'static str {
    match service {
        Service::Director => "director/join.json",
        Service::Proxy => "proxy/proxy.json",
    }
}

/// What no role needs of a host.
const CONFINED: [&str; 21] = [
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LIMITS: RoleLimits = RoleLimits {
        memory_bytes: 2 << 30,
        pids: 4096,
    };

    fn text(service: Service, version: u32, ports: &[u16], limits: RoleLimits) -> String {
        let place = Place::new("lab", Path::new("/var/lib/wharfinger/lab")).unwrap();
        render(&Spec {
            place: &place,
            service,
            version: Version(version),
            limits,
            ports,
        })
    }

    #[test]
    fn units_are_as_they_were() {
        for (service, golden) in [
            (
                Service::Director,
                include_str!("golden/wharf-lab-director.service"),
            ),
            (
                Service::Proxy,
                include_str!("golden/wharf-lab-proxy.service"),
            ),
        ] {
            assert_eq!(text(service, 252, &[9243, 9200], LIMITS), golden);
        }
    }

    #[test]
    fn only_a_port_below_1024_gives_a_capability() {
        let free = text(Service::Proxy, 252, &[1024], LIMITS);
        assert!(free.contains("\nCapabilityBoundingSet=\n"), "{free}");
        let low = text(Service::Proxy, 252, &[443, 9200], LIMITS);
        assert!(low.contains("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"));
    }

    #[test]
    fn what_an_older_systemd_does_not_know_is_not_written() {
        let of = |version| text(Service::Proxy, version, &[], LIMITS);
        assert!(!of(253).contains("RestartSteps"));
        assert!(of(254).contains("\nRestartSteps=6\nRestartMaxDelaySec=30\n"));
    }

    #[test]
    fn where_the_hosts_memory_is_not_known_it_is_not_limited() {
        let free = text(Service::Proxy, 252, &[], RoleLimits::default());
        assert!(
            !free.contains("MemoryMax") && !free.contains("MemorySwapMax"),
            "{free}"
        );
        assert!(!free.contains("TasksMax"));
    }
}
