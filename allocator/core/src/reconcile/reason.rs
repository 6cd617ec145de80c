//! Why a container is stopped or removed, in words for the log and the report. Not here: deciding it.

/// Why a container is stopped or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The assignment says that it shall not run.
    NotToRun,
    /// The assignment lists it for removal.
    Removed,
    /// The instance was replaced elsewhere; the assignment says that its data is set aside.
    SetAside,
    /// Another revision or image is to run.
    Replaced,
    /// Another container of the same instance is kept.
    Duplicate,
    /// Two generations have not named its instance.
    Stray,
    /// The engine failed to remove it before.
    Dead,
    /// The engine refuses to start it.
    Unstartable,
}

impl Reason {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotToRun => "the assignment says that it shall not run",
            Self::Removed => "the assignment lists it for removal",
            Self::SetAside => "it was replaced elsewhere; its data is set aside here and kept",
            Self::Replaced => "another revision or image is to run",
            Self::Duplicate => "another container of its instance is kept",
            Self::Stray => "two generations have not named its instance",
            Self::Dead => "the engine failed to remove it before",
            Self::Unstartable => "the engine refuses to start it; it is made anew, its data stays",
        }
    }
}
