# What somebody has done who has followed the tutorial by hand to its end; for Bash, as that user.
set -euo pipefail
exec 2>&1
cd
echo 'export http_proxy=http://$(hostname).local:7890' >> ~/.bashrc
echo 'export https_proxy=http://$(hostname).local:7890' >> ~/.bashrc
proxy=http://$(hostname).local:7890
sudo sed -i 's/archive.ubuntu.com/mirrors.ustc.edu.cn/g; s/security.ubuntu.com/mirrors.ustc.edu.cn/g' /etc/apt/sources.list
printf 'Acquire::%s::Proxy "%s";\n' http $proxy https $proxy | sudo tee /etc/apt/apt.conf.d/99proxy
cuda=https://developer.download.nvidia.com/compute/cuda/repos/wsl-ubuntu/x86_64
curl -fsSLO -x $proxy $cuda/cuda-keyring_1.1-1_all.deb
sudo dpkg -i cuda-keyring_1.1-1_all.deb
sudo install -m 0755 -d /etc/apt/keyrings
sudo curl -fsSL https://download.docker.com/linux/ubuntu/gpg -o /etc/apt/keyrings/docker.asc -x $proxy
echo "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/ubuntu $(. /etc/os-release && echo "$VERSION_CODENAME") stable" \
  | sudo tee /etc/apt/sources.list.d/docker.list
curl -fsSL -x $proxy https://nvidia.github.io/libnvidia-container/gpgkey \
  | sudo gpg --batch --dearmor -o /usr/share/keyrings/nvidia-container-toolkit-keyring.gpg
curl -fsSL -x $proxy https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list \
  | sed 's#deb https://#deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg] https://#g' \
  | sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list
sudo apt-get -q update
export DEBIAN_FRONTEND=noninteractive
sudo -E apt-get -q -y install cuda-toolkit docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin
sudo mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nEnvironment="HTTP_PROXY=%s"\nEnvironment="HTTPS_PROXY=%s"\nEnvironment="NO_PROXY=localhost,127.0.0.1"\n' $proxy $proxy \
  | sudo tee /etc/systemd/system/docker.service.d/http-proxy.conf
sudo usermod -aG docker "$USER"
mkdir -p ~/.docker
echo "{\"proxies\":{\"default\":{\"httpProxy\":\"http://$(hostname):7890\",\"httpsProxy\":\"http://$(hostname):7890\",\"noproxy\":\"localhost,127.0.0.1,::1\"}}}" \
  > ~/.docker/config.json
sudo -E apt-get -q -y install nvidia-container-toolkit
sudo nvidia-ctk runtime configure --runtime=docker
sudo systemctl daemon-reload
sudo systemctl restart docker
sudo docker pull -q hello-world
