//! What can be typed after `wharf zone`: where hosts are that fail together. Not here: what it does
//! (`commands/zone.rs`), which zone a host is in (`allocator`).

use clap::{Args, Subcommand};

use super::{ListArgs, RequestArgs};

/// `wharf zone`
#[derive(Debug, Subcommand)]
pub(crate) enum ZoneCommand {
    /// List zones with the sums of their hosts, and where they are
    #[command(
        after_help = "A zone is what its hosts say; one without a host is listed while it has a \
                      location.\n\nExamples:\n  wharf zone list\n  wharf zone list --filter \
                      'located=false'\n  wharf zone list --sort 'hosts desc' -o json"
    )]
    List(ListArgs),
    /// Say where a zone is, for the map of hosts
    #[command(
        after_help = "Degrees have a decimal point; south and west are negative.\n\nExamples:\n  \
                      wharf zone set-location zone-1 --latitude 37.5665 --longitude 126.978 --place \
                      Seoul\n  wharf zone set-location zone-2 --latitude -33.8688 --longitude 151.2093"
    )]
    SetLocation(ZoneLocationArgs),
    /// Take a zone's location away
    #[command(after_help = "Example:\n  wharf zone clear-location zone-1")]
    ClearLocation {
        /// Name of the zone
        zone: String,
        #[command(flatten)]
        request: RequestArgs,
    },
}

/// `wharf zone set-location`
#[derive(Debug, Args)]
pub(crate) struct ZoneLocationArgs {
    /// Name of the zone
    pub(crate) zone: String,
    /// Degrees north of the equator, -90 to 90
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    pub(crate) latitude: f64,
    /// Degrees east of Greenwich, -180 to 180
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    pub(crate) longitude: f64,
    /// What people call the place, for example a town
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) place: String,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}
