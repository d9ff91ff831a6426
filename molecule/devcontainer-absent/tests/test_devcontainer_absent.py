"""devcontainer, taken away: what the user edited or added stays, the rest is gone."""


def test_the_users_work_stays_and_the_templates_are_gone(host):
    listed = host.check_output("find /home/dev/projects -type f -printf '%u:%g %P\\n'").splitlines()
    assert sorted(listed) == [
        "dev:dev deep-learning/.devcontainer/requirements.txt",
        "dev:dev deep-learning/train.py",
    ]


def test_the_edit_is_still_there(host):
    text = host.file("/home/dev/projects/deep-learning/.devcontainer/requirements.txt").content_string
    assert text.endswith("tqdm\nnumpy\n")


def test_an_emptied_folder_is_gone(host):
    assert not host.file("/home/dev/projects/deep-learning/.vscode").exists


def test_nothing_is_left_in_the_folder_of_backups(host):
    assert not host.file("/var/lib/wsl-dl-playbook/devcontainer").exists
