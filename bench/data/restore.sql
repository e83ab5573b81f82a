-- Takes away what a measurement has made: everything else was made before this day.
delete from link_creation where created_at > '2025-01-02';
delete from audit_entry where at > '2025-01-02';
delete from invite_link where created_at > '2025-01-02';
delete from plain.invite_link where created_at > '2025-01-02';
