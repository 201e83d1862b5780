# In place of a database server: what opendmarc-reports asks one is answered with the few rows
# of this test. Everything behind that, the report and the mail, is opendmarc's own work.
package DBI;
use strict;
use warnings;
our $errstr = "";
sub connect { return bless {}, "DBI::db" }

package DBI::db;
sub prepare { my ($self, $sql) = @_; return bless { sql => $sql, rows => [] }, "DBI::st" }
sub errstr { return "" }
sub disconnect { return 1 }

package DBI::st;
my @answers = (
	[qr/SELECT (domains\.)?name FROM/, sub { [["home.example"]] }],
	[qr/SELECT id FROM domains/, sub { [[1]] }],
	[qr/SELECT repuri/, sub {
		[["mailto:dmarc-reports\@home.example", ord("r"), ord("r"), ord("n"), 0, 100, 0,
		  "home.example"]] }],
	# id, address, disposition, From, envelope, SPF, SPF and DKIM aligned, ARC
	[qr/FROM messages/, sub {
		[[1, "192.0.2.77", 2, "home.example", "home.example", 0, 4, 4, 0, 0],
		 [2, "192.0.2.77", 2, "home.example", "home.example", 0, 4, 5, 0, 0],
		 [3, "192.0.2.78", 4, "home.example", "spoof.example", 7, 5, 5, 0, 0]] }],
	[qr/FROM signatures/, sub { $_[0] == 1 ? [["home.example", "s1", 0]] : [] }],
);
sub execute {
	my ($self, @values) = @_;
	for my $answer (@answers) {
		next unless $self->{sql} =~ $answer->[0];
		$self->{rows} = $answer->[1]->(@values);
		return 1;
	}
	$self->{rows} = [];
	return 1;
}
sub fetchall_arrayref { my $self = shift; return $self->{rows} }
sub fetchrow_arrayref { my $self = shift; return shift @{ $self->{rows} } }
sub fetchrow_hashref { return undef }
sub finish { return 1 }
sub errstr { return "" }
1;
