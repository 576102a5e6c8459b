"""An LMDB file that the processes of one host share."""
