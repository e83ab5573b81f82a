-- Deletes the rows that a measurement has created. All other rows are from before this day.
delete from link_creation where created_at > '2025-01-02';
delete from audit_entry where at > '2025-01-02';
delete from invite_link where created_at > '2025-01-02';
delete from plain.invite_link where created_at > '2025-01-02';
