//! Scenarios on a fleet: what happens to hosts, leaders, links and instances under load, told as a
//! timeline. Those that a change must pass are run by `tests/docker_scenarios.rs`, every one of them by
//! `make scenarios`. Not here: the hosts themselves (`testbed`).

mod allocators;
mod api;
mod authority;
mod catalog;
mod clocks;
mod cut_off;
mod deployed;
mod disks;
mod hosts;
mod inventory;
mod leaders;
mod links;
mod load;
mod moves;
mod outage;
mod repositories;
mod restored;
mod saturated;
mod timeline;
mod trust;
mod two_sides;
mod whole;
mod writes;

pub use allocators::allocator_killed;
pub use authority::authority_rotated;
pub use catalog::{SCENARIOS, Scenario};
pub use clocks::wrong_clock;
pub use cut_off::{Begins, host_cut_off};
pub use deployed::{Deployed, Instance};
pub use disks::{director_wiped, full_disk};
pub use hosts::{all_rebooted, engines_restarted, host_killed, zone_lost};
pub use leaders::{leader_cut_off, leader_kills};
pub use links::{flapping, one_way};
pub use load::{Load, LoadBooks, Target, stored, under_load};
pub use moves::{vacated, vacated_host_down};
pub use outage::directors_dead;
pub use repositories::Kept;
pub use restored::host_lost_restored;
pub use saturated::saturated;
pub use timeline::{Timeline, folder};
pub use whole::made_whole;
pub use writes::{SETTING, Writes, with_writes};
