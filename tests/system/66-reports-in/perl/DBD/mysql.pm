# See DBI.pm: nothing of it is used.
package DBD::mysql;
1;
