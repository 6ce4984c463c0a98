//! The MDA: into folders, as typed actions.
