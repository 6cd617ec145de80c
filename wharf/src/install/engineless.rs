//! A host without a container engine joins, is repaired, and leaves: its director and proxy are services of
//! systemd. Invariants: what cannot be there is refused before the token is used; a host that was enrolled
//! in vain leaves the platform again; `services.json` is written last, so that half a host is none. Not
//! here: the services (`crate::services`), what a director is told (`join`).

use std::{
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use wharf_proto::v1::EnrollRequest;
use wharf_runtime::{
    platform_file::PlatformFile,
    tls::{KeyedCert, SigningRequest},
};

use super::{
    Part, damaged, data_dir, identity_path,
    join::{self, Director, Join},
    leave::{Speaker, tell},
    planned, ports_of, same_time, standing, wait, wanted,
};
use crate::{
    args::{InstallArgs, Output, UninstallArgs, is_none},
    client::{internal, mutation},
    failure::{EXIT_NOT_FOUND, Failure},
    given,
    preflight::host_memory,
    print,
    services::{self, Kept, Place, Service, Services, systemd},
    up::{Progress, files, preflight},
};

/// Whether a host without an engine is asked for, or is there.
pub(super) fn is_meant(args: &InstallArgs, data_dir: &Path) -> Result<bool, Failure> {
    let joined = Services::read(data_dir)?.is_some();
    if joined && args.engine.is_some() && !is_none(args.engine.as_deref()) {
        // The same answer as one without a guess gets.
        standing(data_dir, None)?;
    }
    Ok(joined || is_none(args.engine.as_deref()))
}

/// Joins, or repairs.
pub(super) async fn install(
    args: &InstallArgs,
    text: Option<&str>,
    guessed: &Path,
    mut progress: Progress,
    output: Output,
) -> Result<u8, Failure> {
    for_instances(args)?;
    let version = fit().await?;
    progress.done(&format!("systemd {} runs this host", version.0));
    let Some(text) = text else {
        return repair(args, guessed, version, progress, output).await;
    };
    let join = Join::parse(text)?;
    if Services::read(guessed)?.is_some() && speaks_of(&join, guessed) {
        return repair(args, guessed, version, progress, output).await;
    }
    let director = Director::find(&join).await?;
    let told = director.inspect().await?;
    preflight::name(&told.platform_name)?;
    same_time(&told)?;
    let data_dir = data_dir(&args.place, &told.platform_name)?;
    if Services::read(&data_dir)?.is_some()
        && PlatformFile::read(&data_dir).is_ok_and(|own| own.platform_id == told.platform_id)
    {
        return repair(args, &data_dir, version, progress, output).await;
    }
    without_containers(&data_dir)?;
    // Says what else may be in the way: another platform's host, or the one that began it.
    standing(&data_dir, Some(&told.platform_id))?;
    let place = Place::new(&told.platform_name, &data_dir)?;
    let roles = wanted(args, &told);
    let services = services_of(roles)?;
    progress.done(&format!(
        "platform `{}` answers and is the token's; zone {}, roles {}",
        print::printable(&told.platform_name),
        print::printable(&told.zone),
        print::printable(&roles.join(", "))
    ));
    let planned = planned(args, &told, &director)?;
    preflight::room(&data_dir)?;
    let bind: IpAddr = planned
        .bind_address
        .parse()
        .map_err(|error| internal(&error))?;
    let mut ports = ports_of(&planned.ports, |role| roles.iter().any(|own| own == role));
    ports.retain(|(what, _)| !what.starts_with("allocator"));
    preflight::ports(bind, &ports)?;

    let request = |service: Service| {
        let has = services.has(service);
        has.then(|| SigningRequest::create(service.as_str()))
            .transpose()
            .map_err(|error| internal(&error))
    };
    let (own_director, proxy) = (request(Service::Director)?, request(Service::Proxy)?);
    let csr = |request: &Option<SigningRequest>| {
        let text = request.as_ref().map(SigningRequest::csr_pem);
        text.unwrap_or_default().to_owned()
    };
    let answer = director
        .enroll(EnrollRequest {
            mutation: mutation(),
            host: planned.host.clone(),
            advertised_address: planned.advertised_address.clone(),
            roles: roles.to_vec(),
            director_csr_pem: csr(&own_director),
            proxy_csr_pem: csr(&proxy),
            without_engine: true,
            ..EnrollRequest::default()
        })
        .await?;
    progress.done(&format!("enrolled as {}", print::printable(&planned.host)));
    let host = Host {
        platform: PlatformFile {
            platform_id: answer.platform_id.clone(),
            domain: answer.domain.clone(),
            directors: answer.directors.clone(),
            ..planned
        },
        place,
        services,
        version,
        fresh: true,
    };
    let complete = |request: Option<SigningRequest>, chain: &str| {
        request
            .map(|request| request.complete(chain))
            .transpose()
            .map_err(|error| internal(&error))
    };
    let certificates = [
        (
            Service::Director,
            answer.director_id.as_str(),
            complete(own_director, &answer.director_certificate_pem)?,
        ),
        (
            Service::Proxy,
            answer.proxy_id.as_str(),
            complete(proxy, &answer.proxy_certificate_pem)?,
        ),
    ];
    let made = match host.write(&answer.ca_pem, &certificates) {
        Ok(()) => host.start(&mut progress).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = made {
        let mut held = certificates.into_iter().rev();
        let speaker = held.find_map(|(_, _, certificate)| certificate);
        host.undo(&answer.ca_pem, speaker.as_ref()).await;
        return Err(failure);
    }
    host.connected(args, &mut progress, output).await
}

/// Refuses a host whose roles are containers.
fn without_containers(data_dir: &Path) -> Result<(), Failure> {
    if !PlatformFile::path(data_dir).exists() || !identity_path(data_dir).exists() {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0036",
        format!("the host of {} joined with an engine", data_dir.display()),
        "`wharf install` repairs it; to join without one: `wharf uninstall`, then with a new token",
    ))
}

/// Refuses what is about instances.
fn for_instances(args: &InstallArgs) -> Result<(), Failure> {
    let given = [
        ("--tags", !args.tags.is_empty()),
        ("--capacity-memory-mib", args.capacity_memory_mib.is_some()),
        ("--capacity-disk-mib", args.capacity_disk_mib.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(Failure::new(
            "CLI0050",
            format!("{flag} is about instances, which need a container engine"),
            "leave it out, or install Docker and leave `--engine none` out",
        )),
    }
}

/// What a host of these roles runs.
fn services_of(roles: &[String]) -> Result<Services, Failure> {
    let mut services = Services::default();
    for role in roles {
        match role.as_str() {
            "director" => services.director = true,
            "proxy" => services.proxy = true,
            other => {
                let why = match other {
                    "allocator" => "instances are containers",
                    _ => "what watches a host is a part of its allocator, which reads containers",
                };
                return Err(Failure::new(
                    "CLI0050",
                    format!("the role {other} needs a container engine: {why}"),
                    "name the others: `--roles director,proxy` or one of them; nothing of the token was used",
                ));
            }
        }
    }
    Ok(services)
}

/// Whether services can be made here.
async fn fit() -> Result<systemd::Version, Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let version = systemd::look().await?;
    let own = std::fs::metadata("/proc/self").map(|own| own.uid());
    if own.is_ok_and(|user| user == 0) {
        return Ok(version);
    }
    Err(Failure::new(
        "CLI0020",
        "units, their binary and their data are root's",
        "run this as root",
    ))
}

/// Whether a join text is of the platform that a host's services belong to.
fn speaks_of(join: &Join, data_dir: &Path) -> bool {
    let mut folders = Service::ALL.iter().map(|one| data_dir.join(one.as_str()));
    folders.any(|folder| join.is_of(&folder.join("ca.pem")))
}

/// What is still the host's: a director that was removed has taken its own files away. A proxy never does.
fn still(place: &Place, services: Services) -> Services {
    Services {
        director: services.director && place.is_here(Service::Director),
        proxy: services.proxy,
    }
}

async fn repair(
    args: &InstallArgs,
    data_dir: &Path,
    version: systemd::Version,
    mut progress: Progress,
    output: Output,
) -> Result<u8, Failure> {
    let Some(joined) = Services::read(data_dir)? else {
        without_containers(data_dir)?;
        return Err(Failure::new(
            "CLI0036",
            format!("this host has not joined: {} is no member's", data_dir.display()),
            "give --join with what `wharf token create --roles ...` printed on a host of the platform",
        )
        .exit(EXIT_NOT_FOUND));
    };
    let platform = PlatformFile::read(data_dir).map_err(|error| damaged(&error))?;
    let place = Place::new(&platform.name, data_dir)?;
    let services = still(&place, joined);
    if services == Services::default() {
        return Err(Failure::new(
            "CLI0036",
            "nothing of the platform is on this host any more: its director was removed",
            "`wharf uninstall` removes what is left; it joins again by a new token",
        ));
    }
    if services.proxy && !place.is_here(Service::Proxy) {
        return Err(Failure::new(
            "CLI0021",
            format!(
                "the proxy's identity is not in {} any more",
                place.folder(Service::Proxy).display()
            ),
            "restore that folder, or `wharf uninstall` and join again",
        ));
    }
    services.write(data_dir)?;
    let host = Host {
        platform,
        place,
        services,
        version,
        fresh: false,
    };
    host.start(&mut progress).await?;
    host.connected(args, &mut progress, output).await
}

/// A host that has its certificates.
struct Host {
    platform: PlatformFile,
    place: Place,
    services: Services,
    version: systemd::Version,
    /// It joined just now.
    fresh: bool,
}

impl Host {
    /// Writes every file, the one that makes it a host last.
    fn write(
        &self,
        ca_pem: &str,
        certificates: &[(Service, &str, Option<KeyedCert>)],
    ) -> Result<(), Failure> {
        let dir = &self.place.data_dir;
        files::make_folder(dir, 0o755)?;
        for (service, id, certificate) in certificates {
            if let Some(identity) = certificate {
                services::write_role(&self.place, *service, &self.platform, ca_pem, id, identity)?;
            }
        }
        files::write_json(&PlatformFile::path(dir), &self.platform, 0o644)?;
        self.services.write(dir)
    }

    async fn start(&self, progress: &mut Progress) -> Result<(), Failure> {
        let ports = &self.platform.ports;
        let (place, services) = (&self.place, self.services);
        let kept = services::keep(place, services, self.version, ports, host_memory()).await?;
        for (service, kept) in kept {
            let how = match kept {
                Kept::Unchanged => "runs",
                Kept::Started => "started",
            };
            progress.done(&format!("{} {how}", self.place.unit(service)));
        }
        Ok(())
    }

    /// Waits until the directors have the host, and says so.
    async fn connected(
        &self,
        args: &InstallArgs,
        progress: &mut Progress,
        output: Output,
    ) -> Result<u8, Failure> {
        let (platform, services) = (&self.platform, self.services);
        let ports = &platform.ports;
        let pages: Vec<_> = [
            (Service::Director, ports.director_metrics),
            (Service::Proxy, ports.proxy_metrics),
        ]
        .into_iter()
        .filter(|(service, _)| services.has(*service))
        .map(|(service, port)| (service.as_str(), port))
        .collect();
        let deadline = Instant::now() + Duration::from_secs(args.timeout);
        wait::connected(&pages, deadline, |what| progress.done(what)).await?;
        let part = Part {
            platform,
            director: services.director,
            proxy: services.proxy,
            without_engine: true,
            fresh: self.fresh,
        };
        part.say(progress, output);
        Ok(0)
    }

    /// Takes back all that a join in vain made, here and at the director.
    async fn undo(&self, ca_pem: &str, speaker: Option<&KeyedCert>) {
        let removed = services::remove(&self.place).await;
        if let Err(failure) = removed.and_then(|_| services::purge(&self.place)) {
            print::remark(&format!("  left: {failure}"));
        }
        let Some(speaker) = speaker else {
            return;
        };
        match join::leave(&self.platform, ca_pem, speaker, true).await {
            Ok(()) => print::remark("  taken back; the token's use is spent"),
            Err(failure) => {
                print::remark(&format!("  the director still knows this host: {failure}"));
            }
        }
    }
}

/// Leaves the platform and removes what it had on this host.
pub(super) async fn uninstall(
    args: &UninstallArgs,
    joined: Services,
    data_dir: &Path,
    output: Output,
) -> Result<u8, Failure> {
    let version = fit().await?;
    tracing::debug!(version = version.0, "systemd");
    let platform = PlatformFile::read(data_dir).map_err(|error| damaged(&error))?;
    let place = Place::new(&platform.name, data_dir)?;
    let what = format!(
        "this host leaves the platform `{}` and its services are removed",
        platform.name
    );
    given::confirm(args.yes, &what, &platform.host)?;
    let services = still(&place, joined);
    let forgotten = if services == Services::default() {
        // It was nothing but a director, and left with that.
        true
    } else {
        let by = if services.proxy && place.is_here(Service::Proxy) {
            Service::Proxy
        } else {
            Service::Director
        };
        let folder = place.folder(by);
        let identity = folder.join(by.as_str()).join("identity.pem");
        let speaker = Speaker {
            held: KeyedCert::load(identity).ok().flatten(),
            ca_pem: std::fs::read_to_string(folder.join("ca.pem")).ok(),
            director_is_here: services.director,
        };
        let known = PlatformFile {
            directors: services::directors_of(&place, services, &platform),
            ..platform.clone()
        };
        tell(&known, &speaker, args.remove_director).await?
    };
    let units = services::remove(&place).await?;
    services::purge(&place)?;
    let json = serde_json::json!({
        "platform": platform.name,
        "host": platform.host,
        "services": units,
        "data_dir_removed": !data_dir.exists(),
        "forgotten": forgotten,
    });
    print::result(output, &json, || {
        let known = if forgotten {
            "the platform has forgotten this host".to_owned()
        } else {
            format!(
                "the platform still knows this host: `wharf allocator remove {}` on one with a profile",
                platform.host
            )
        };
        format!("removed {} services and their data; {known}\n", units.len())
    });
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_needs_an_engine_is_refused_by_name() {
        for name in ["allocator", "collector"] {
            let refused = services_of(&roles(&["proxy", name])).unwrap_err();
            assert_eq!(refused.code, "CLI0050");
            assert!(refused.message.contains(name), "{refused}");
        }
        let both = services_of(&roles(&["proxy", "director"])).unwrap();
        assert!(both.proxy && both.director);
    }

    #[test]
    fn a_host_whose_roles_are_containers_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        without_containers(dir.path()).unwrap();
        std::fs::write(PlatformFile::path(dir.path()), "{}").unwrap();
        without_containers(dir.path()).unwrap();
        std::fs::create_dir_all(dir.path().join("allocator")).unwrap();
        std::fs::write(identity_path(dir.path()), "").unwrap();
        let refused = without_containers(dir.path()).unwrap_err();
        assert_eq!(refused.code, "CLI0036");
        assert!(refused.message.contains("with an engine"), "{refused}");
    }

    #[test]
    fn a_director_that_took_its_files_away_is_the_hosts_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            name: "lab".into(),
            data_dir: dir.path().to_path_buf(),
        };
        let joined = Services {
            director: true,
            proxy: true,
        };
        let proxy = dir.path().join("proxy/proxy");
        std::fs::create_dir_all(&proxy).unwrap();
        std::fs::write(proxy.join("proxy.json"), "{}").unwrap();
        let now = still(&place, joined);
        assert!(now.proxy && !now.director);
        // A proxy whose files are gone is to be missed, not forgotten.
        std::fs::remove_dir_all(&proxy).unwrap();
        assert!(still(&place, joined).proxy);
    }
}
