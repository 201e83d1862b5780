"""Reports in the shapes of those who send most of them: what their XML and JSON look like, how
it is packed, and what the mail around it is. -> bytes of a message each."""
import base64
import gzip
import io
import json
import time
import zipfile

DAY = 86400


def lines(data):
    """base64 as mail has it."""
    text = base64.b64encode(data).decode()
    return "\r\n".join(text[n:n + 76] for n in range(0, len(text), 76))


def packed(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, data)
    return out.getvalue()


def zip_alone(sender, to, domain):
    """The whole message is the zip: no multipart, indented XML without a name space, two
    results of DKIM in a record."""
    begin = int(time.time()) // DAY * DAY - 2 * DAY
    name = f"{sender}!{domain}!{begin}!{begin + DAY - 1}"
    xml = f"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>{sender}</org_name>
    <email>noreply-dmarc-support@{sender}</email>
    <extra_contact_info>https://support.{sender}/a/answer/2466580</extra_contact_info>
    <report_id>9391651994964116463</report_id>
    <date_range>
      <begin>{begin}</begin>
      <end>{begin + DAY - 1}</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>{domain}</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>none</p>
    <sp>none</sp>
    <pct>100</pct>
    <np>none</np>
  </policy_published>
  <record>
    <row>
      <source_ip>198.51.100.9</source_ip>
      <count>21</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>pass</dkim>
        <spf>fail</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>{domain}</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>{domain}</domain>
        <result>pass</result>
        <selector>s1</selector>
      </dkim>
      <dkim>
        <domain>mail.mcsv.net</domain>
        <result>pass</result>
        <selector>k1</selector>
      </dkim>
      <spf>
        <domain>mail.mcsv.net</domain>
        <result>pass</result>
      </spf>
    </auth_results>
  </record>
</feedback>
""".encode()
    return (f"From: noreply-dmarc-support@{sender}\r\nTo: {to}\r\n"
            f"Subject: Report domain: {domain} Submitter: {sender} Report-ID: 9391651994964116463\r\n"
            f"Date: Sun, 29 Nov 2026 02:00:00 -0800\r\nMessage-ID: <939165@{sender}>\r\n"
            f'MIME-Version: 1.0\r\nContent-Type: application/zip;\r\n\tname="{name}.zip"\r\n'
            f'Content-Disposition: attachment;\r\n\tfilename="{name}.zip"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
            f"{lines(packed(name + '.xml', xml))}\r\n").encode()


def gzip_related(sender, to, domain):
    """gzip of XML on one line, name spaces of XML Schema, a version, envelope addresses, beside a
    text in HTML."""
    begin = int(time.time()) // DAY * DAY - DAY
    name = f"{sender}!{domain}!{begin}!{begin + DAY}"
    xml = ('<?xml version="1.0"?><feedback xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
           'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><version>1.0</version>'
           "<report_metadata><org_name>Enterprise Outlook</org_name>"
           f"<email>dmarcreport@{sender}</email><report_id>5d1a4a9e0b0a4a0e</report_id>"
           f"<date_range><begin>{begin}</begin><end>{begin + DAY}</end></date_range>"
           f"</report_metadata><policy_published><domain>{domain}</domain><adkim>r</adkim>"
           "<aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct><fo>0</fo></policy_published>"
           "<record><row><source_ip>198.51.100.10</source_ip><count>4</count><policy_evaluated>"
           "<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf><reason><type>"
           "forwarded</type><comment></comment></reason></policy_evaluated></row><identifiers>"
           f"<envelope_to>else.example</envelope_to><envelope_from>{domain}</envelope_from>"
           f"<header_from>{domain}</header_from></identifiers><auth_results><dkim><domain>"
           f"{domain}</domain><selector>s1</selector><result>fail</result></dkim><spf><domain>"
           f"{domain}</domain><scope>mfrom</scope><result>fail</result></spf></auth_results>"
           "</record></feedback>").encode()
    return (f'From: "DMARC Aggregate Report" <dmarcreport@{sender}>\r\nTo: {to}\r\n'
            f"Subject: Report Domain: {domain} Submitter: {sender} Report-ID: 5d1a4a9e0b0a4a0e\r\n"
            f"Date: Sun, 29 Nov 2026 11:00:00 +0000\r\nMessage-ID: <5d1a4a9e@{sender}>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"_mpm_c\"\r\n\r\n"
            "--_mpm_c\r\nContent-Type: multipart/related; boundary=\"_rv_d\"\r\n\r\n"
            "--_rv_d\r\nContent-Type: multipart/alternative; boundary=\"_av_e\"\r\n\r\n"
            "--_av_e\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<div>Aggregate report"
            "</div>\r\n--_av_e--\r\n--_rv_d--\r\n"
            f"--_mpm_c\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=\"{name}.xml.gz\"\r\n\r\n"
            f"{lines(gzip.compress(xml))}\r\n--_mpm_c--\r\n").encode()


def tls_report(sender, to, domain):
    """multipart/report of its own type, as RFC 8460 5.3 has it, with a policy that was not
    found beside one that holds."""
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY))
    report = {
        "organization-name": "Large Provider Inc.",
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": f"smtp-tls-reporting@{sender}",
        "report-id": f"{day}T00:00:00Z_{domain}",
        "policies": [
            {"policy": {"policy-type": "sts",
                        "policy-string": ["version: STSv1\r", "mode: testing\r",
                                          f"mx: mail.{domain}\r", "max_age: 86400"],
                        "policy-domain": domain, "mx-host": [f"mail.{domain}"]},
             "summary": {"total-successful-session-count": 74, "total-failure-session-count": 3},
             "failure-details": [
                 {"result-type": "certificate-host-mismatch", "sending-mta-ip": "198.51.100.62",
                  "receiving-mx-hostname": f"mail.{domain}", "failed-session-count": 2},
                 {"result-type": "validation-failure", "failed-session-count": 1,
                  "failure-reason-code": "X509_V_ERR_UNSPECIFIED"}]},
            {"policy": {"policy-type": "no-policy-found", "policy-domain": domain},
             "summary": {"total-successful-session-count": 5, "total-failure-session-count": 0}}]}
    return (f"From: smtp-tls-reporting@{sender}\r\nTo: {to}\r\n"
            f"Subject: Report Domain: {domain} Submitter: {sender} Report-ID: <{day}.{domain}>\r\n"
            f"Date: Sun, 29 Nov 2026 08:00:00 +0000\r\nMessage-ID: <{day}@{sender}>\r\n"
            f"TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {sender}\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
            "\tboundary=\"00000000000\"\r\n\r\n--00000000000\r\nContent-Type: text/plain; "
            "charset=\"UTF-8\"\r\n\r\nThis is an aggregate TLS report.\r\n--00000000000\r\n"
            f"Content-Type: application/tlsrpt+gzip;\r\n\tname=\"{sender}!{domain}!1!2!001.json.gz\""
            "\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            f"{lines(gzip.compress(json.dumps(report).encode()))}\r\n--00000000000--\r\n").encode()
