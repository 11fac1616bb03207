//! Paper plugin: tet.
