"""An S3 server for tests: moto behind TLS, with one bucket, `snapshots`, and one user whose keys are checked.

    s3_server.py ADDRESS PORT CERTIFICATE KEY READY

It makes the bucket and the user, writes the user's keys to READY as JSON, and then wants keys that are right.
It ends with whoever started it: when its standard input does.
"""

import json
import os
import ssl
import sys
import threading
import warnings

# So many calls are taken as they come: those that make the bucket, the user, its rights and its keys.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3  # noqa: E402  (moto reads the count when it is imported)
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

address, port, certificate, key, ready = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
app = DomainDispatcherApplication(create_backend_app)
server = make_server(address, int(port), app, threaded=True, ssl_context=context)
threading.Thread(target=server.serve_forever, daemon=True).start()
warnings.simplefilter("ignore")


def client(service):
    return boto3.client(
        service,
        endpoint_url=f"https://{address}:{port}",
        verify=False,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


client("s3").create_bucket(Bucket="snapshots")
iam = client("iam")
iam.create_user(UserName="store")
rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="store", PolicyName="all", PolicyDocument=json.dumps(rights))
made = iam.create_access_key(UserName="store")["AccessKey"]
with open(ready + ".next", "w") as out:
    json.dump({"id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}, out)
os.rename(ready + ".next", ready)
sys.stdin.read()
