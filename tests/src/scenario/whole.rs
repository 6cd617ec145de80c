//! A fleet made whole before a scenario, so that what failed in one is not what fails in the next: faults
//! are ended, hosts are powered on, vacates and maintenance are ended, and the platform is given time to
//! follow. On a whole fleet nothing of it changes anything. Not here: what a scenario does.

use std::time::Duration;

use super::leaders::whole_group;
use crate::testbed::{Fleet, run};

/// For hosts that come back, on busy cores.
const PATIENCE: Duration = Duration::from_secs(180);

/// Makes the fleet whole.
///
/// # Panics
/// When it does not become whole in time.
pub fn made_whole(fleet: &mut Fleet) {
    fleet.mend();
    let fleet = &*fleet;
    let all = fleet.layout().hosts;
    crate::patience::wait_for("every host is connected", PATIENCE, || {
        let connected = fleet.connected()?;
        if connected.len() == all {
            Ok(())
        } else {
            Err(format!("connected: {}", connected.join(" ")))
        }
    });
    crate::patience::wait_for("the group is whole", PATIENCE, || whole_group(fleet));
    crate::patience::wait_for("no host is kept empty", PATIENCE, || kept_empty(fleet));
}

/// Ends vacates and maintenance; nothing when there are none.
fn kept_empty(fleet: &Fleet) -> Result<(), String> {
    let desk = fleet.desk();
    for vacate in desk.list(&["vacate", "list", "--filter", "status=running"])? {
        let id = vacate["id"].as_str().unwrap_or_default();
        // It may have ended, or be past the point of return: the next look tells.
        run(&mut desk.wharf(&["vacate", "cancel", id]));
    }
    let hosts = desk.list(&["allocator", "list"])?;
    let kept = hosts.iter().filter(|row| row["maintenance"] == true);
    let kept: Vec<&str> = kept.filter_map(|row| row["host"].as_str()).collect();
    for host in &kept {
        run(&mut desk.wharf(&["allocator", "maintenance", host, "off"]));
    }
    if kept.is_empty() {
        Ok(())
    } else {
        Err(kept.join(" "))
    }
}
