//! That this director was removed from the platform, as it finds out itself: by its own log, or because
//! another director refuses it by that name. A removed member is often cut off before it hears that its
//! removal is decided. Invariant: what was removed stays removed, so that one word of another director is
//! enough. Not here: what follows from it (`Config::ends_when_removed`; beside an allocator, the
//! allocator takes the container away).

use std::sync::Arc;

use tonic::Status;
use wharf_director_core::refusal::codes;
use wharf_proto::coded;

use crate::director::Director;

/// Whether a refusal says that the caller was removed.
pub(crate) fn says(status: &Status) -> bool {
    coded::decode(status.details()).is_some_and(|info| info.code == codes::DIRECTOR_REMOVED)
}

/// Returns once this director was removed.
pub(crate) async fn seen(director: Arc<Director>) {
    let mut changes = director.published.changes();
    let mut told = director.told_removed.subscribe();
    loop {
        changes.borrow_and_update();
        let id = director.config.director_id.as_str();
        let known = director.published.state().removed_directors.contains(id);
        if known || *told.borrow_and_update() {
            return;
        }
        let over = tokio::select! {
            changed = changes.changed() => changed.is_err(),
            changed = told.changed() => changed.is_err(),
        };
        if over {
            // Whoever could tell is gone with the process.
            std::future::pending::<()>().await;
        }
    }
}
