//! The host: registry, plugin discovery, fetch and cache, evaluation, results and reports.
