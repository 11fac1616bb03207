//! Backend: event-driven execution of spiking networks.
